"""Rewards: pure functions from an answer, its reference and its outcome to 0..1."""

from rewards.metrics import (
    WORST_DISTANCE,
    WORST_METRICS,
    Metrics,
    compute_metrics,
)
from rewards.mix import RewardMix, check_answer, score
from rewards.parts import part_scores
from rewards.shaped import score_shaped
from rewards.terms import TERMS

__all__ = [
    "TERMS",
    "WORST_DISTANCE",
    "WORST_METRICS",
    "Metrics",
    "RewardMix",
    "check_answer",
    "compute_metrics",
    "part_scores",
    "score",
    "score_shaped",
]
