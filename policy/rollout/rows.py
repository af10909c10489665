"""What a line of answers may hold: it may be a stranger's, or of a damaged disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SHOWN = 60  # characters of a value that is wrong


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field of a row may hold.

    Attributes:
        words: That in words.
        fits: Whether a value is of it.
    """

    words: str
    fits: Callable[[Any], bool]

    def or_null(self) -> Kind:
        """The same, or nothing."""
        return Kind(
            f"{self.words}, or null", lambda value: value is None or self.fits(value)
        )


def _is_number(value: Any) -> bool:
    """Whether it is one that a float can hold, and finite; true and false are none."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _are_numbers(value: Any, count: int) -> bool:
    right = isinstance(value, list) and len(value) == count
    return right and all(map(_is_number, value))


def _is_path(value: Any) -> bool:
    """Whether it is a list of points, all of 2 numbers or all of 3."""
    return isinstance(value, list) and any(
        all(_are_numbers(point, count) for point in value) for count in (2, 3)
    )


def _is_expert(value: Any) -> bool:
    """Whether it has a box and a path; that of an annotated image may be empty."""
    named = isinstance(value, dict) and {"box", "waypoints"} <= value.keys()
    return named and BOX.fits(value["box"]) and _is_path(value["waypoints"])


def _is_scene(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)


def _holds(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(map(fits, value.values()))


def of_numbers(count: int) -> Kind:
    """So many finite numbers, in a list."""
    return Kind(f"{count} finite numbers", lambda value: _are_numbers(value, count))


TEXT = Kind("text", lambda value: isinstance(value, str))
WHOLE = Kind("a whole number", lambda value: type(value) is int)
NUMBER = Kind("a finite number", _is_number)
NUMBERS = Kind("finite numbers by name", lambda value: _holds(value, _is_number))
BOX = of_numbers(4)
PATH = Kind(
    "points of 2 or of 3 finite numbers each",
    lambda value: bool(value) and _is_path(value),
)
# What every row has; see `describe_rollout`.
ROW = {
    "env": TEXT,
    "seed": WHOLE,
    "scene": Kind("an object with a name", _is_scene),
    "instruction": TEXT,
    "text": TEXT,
    "box": BOX.or_null(),
    "waypoints": PATH.or_null(),
    "parse_failure": TEXT.or_null(),
    "success": Kind("true or false", lambda value: isinstance(value, bool)),
    "reason": TEXT.or_null(),
    "terms": NUMBERS,
    "reward": NUMBER,
}
# What those of `evaluations/` have beside it; see `describe_episode`.
MORE = {
    "turn": WHOLE,
    "expert": Kind("a box and a path", _is_expert).or_null(),
    "factors": Kind(
        "finite numbers and texts by name",
        lambda value: _holds(value, lambda v: isinstance(v, str) or _is_number(v)),
    ),
    "image": TEXT,
}


def find_mistake(row: dict[str, Any]) -> str:
    """Returns why a row is none of an answer, "" if it is one."""
    return find_misfit(row, ROW, MORE)


def find_misfit(
    row: Mapping[str, Any], needed: Mapping[str, Kind], more: Mapping[str, Kind]
) -> str:
    """Returns what is wrong with a row, "" if nothing is.

    Args:
        row: Values by name.
        needed: What each that must be there may hold.
        more: What others may hold that need not be there.
    """
    if lacks := ", ".join(sorted(needed.keys() - row.keys())):
        return f"it lacks {lacks}"
    for name, kind in {**needed, **more}.items():
        if name in row and not kind.fits(row[name]):
            return f"{name} is {repr(row[name])[:SHOWN]}; valid: {kind.words}"
    return ""
