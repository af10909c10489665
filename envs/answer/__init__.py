"""Text to plan and back: the grammar, and what else models say for the same."""

from envs.answer.grammar import (
    MAX_HEIGHT,
    MAX_WAYPOINTS,
    MIN_WAYPOINTS,
    NORMALIZED,
    PARSE_FAILURES,
    PARSERS,
    Codec,
    format_answer,
    parse_affordance,
    parse_answer,
    parse_trajectory,
)

__all__ = [
    "MAX_HEIGHT",
    "MAX_WAYPOINTS",
    "MIN_WAYPOINTS",
    "NORMALIZED",
    "PARSERS",
    "PARSE_FAILURES",
    "Codec",
    "format_answer",
    "parse_affordance",
    "parse_answer",
    "parse_trajectory",
]
