"""The answer grammar: the only place that turns plans into text and text into plans.

    <think>free text</think><answer>{"affordance": [x1, y1, x2, y2],
    "trajectory": [[x, y], ...]}</answer>

A policy that is asked for the affordance or the trajectory alone leaves out the other.
A text is *well formed* when all of it matches this, with whole numbers and nothing but
white space around the two elements. An answer is also read from a text that is not well
formed, if that can be done without guessing (`envs.answer.reading`): words or a code
fence around the object, a missing tag, the spellings that pretrained models learned,
the part that was asked for from a whole plan. Two answers are a failure and not "the
last one counts": a policy has to commit to one plan, or hedging would pay.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeVar

from envs.answer.reading import (
    PARSE_FAILURES,
    TAG,
    AnswerError,
    Found,
    find_answer,
    find_spans,
    read_box,
    read_points,
)
from envs.records import (
    MAX_WAYPOINTS,
    MIN_WAYPOINTS,
    Affordance,
    AnyAnswer,
    ParseFailure,
    Part,
    Plan,
    Trajectory,
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

MAX_HEIGHT = 1.0
"""Largest height above the table in metres; no arm of this size reaches higher."""

_MM_PER_M = 1000
_INT = r"\s*(?:0|[1-9][0-9]*)\s*"
_POINT = rf"\s*\[{_INT},{_INT}(?:,{_INT})?\]\s*"
_BOX = rf'"affordance"\s*:\s*\[{_INT}(?:,{_INT}){{3}}\]'
_PATH = rf'"trajectory"\s*:\s*\[{_POINT}(?:,{_POINT})*\]'
_STRICT = {
    kind: re.compile(rf"\s*\{{\s*{content}\s*\}}\s*")
    for kind, content in (
        (Plan.kind, rf"{_BOX}\s*,\s*{_PATH}"),
        (Affordance.kind, _BOX),
        (Trajectory.kind, _PATH),
    )
}
_Read = TypeVar("_Read", Plan, Affordance, Trajectory)


@dataclass(frozen=True, slots=True)
class Codec:
    """A model family's coordinates: image units times (width, height), as integers.

    Attributes:
        width: Number written for the image's right edge.
        height: Number written for the image's bottom edge.
    """

    width: float
    height: float

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be written as a whole number."""
        for name in ("width", "height"):
            size = getattr(self, name)
            if not (size >= 1 and float(size).is_integer()):
                raise ValueError(f"Codec {name}={size!r}: need a whole number >= 1")


NORMALIZED = Codec(1000, 1000)
"""0..1000 whatever the image's size: the default policy, Qwen2-VL and Qwen3-VL."""


def format_answer(
    answer: Plan | Affordance | Trajectory, codec: Codec = NORMALIZED
) -> str:
    """Write an answer as text; the inverse of `parse_answer` up to rounding.

    It does not judge: a plan outside the image gives a text that does not parse.

    Args:
        answer: The plan, or part of one, to write; `well_formed` is ignored.
        codec: The model family's coordinates.

    Returns:
        A text with each number within half a wire unit of the plan's, within one
        unit where a thin box would otherwise become empty.

    Raises:
        ValueError: If the thought contains a tag of the grammar, or a number is NaN or
            infinite.
    """
    if tag := TAG.search(answer.thought):
        raise ValueError(f"thought contains {tag[0]!r}; it may hold any text but tags")
    if not all(map(math.isfinite, _list_numbers(answer))):
        raise ValueError(f"the answer has numbers that are not finite: {answer}")
    content: dict[str, Any] = {}
    if isinstance(answer, Plan | Affordance):
        content["affordance"] = _write_box(answer.box, codec)
    if isinstance(answer, Plan | Trajectory):
        scale = (codec.width, codec.height, _MM_PER_M)
        points = [[round(v * s) for v, s in zip(p, scale)] for p in answer.waypoints]
        content["trajectory"] = points
    thought = answer.thought.strip()
    return f"<think>{thought}</think><answer>{json.dumps(content)}</answer>"


def parse_answer(text: str, codec: Codec = NORMALIZED) -> Plan | ParseFailure:
    """Read a plan from any text, in time linear in its length.

    Args:
        text: What the model wrote.
        codec: The model family's coordinates.

    Returns:
        The plan in image units and metres, or why there is none.
    """
    try:
        found = find_answer(text, Plan.kind)
        box, points = read_box(found), read_points(found)
        plan = Plan(
            box=_scale_box(box, codec),
            waypoints=_scale_path(points, codec),
            parts=_locate(text, found, [box, *points]),
        )
    except AnswerError as error:
        return error.failure
    return _add_thought(plan, text)


def parse_affordance(text: str, codec: Codec = NORMALIZED) -> Affordance | ParseFailure:
    """Read the box alone from any text; what else a whole plan holds is not judged."""
    try:
        found = find_answer(text, Affordance.kind)
        box = read_box(found)
        affordance = Affordance(
            box=_scale_box(box, codec), parts=_locate(text, found, [box])
        )
    except AnswerError as error:
        return error.failure
    return _add_thought(affordance, text)


def parse_trajectory(text: str, codec: Codec = NORMALIZED) -> Trajectory | ParseFailure:
    """Read the path alone from any text; what else a whole plan holds is not judged."""
    try:
        found = find_answer(text, Trajectory.kind)
        points = read_points(found)
        trajectory = Trajectory(
            waypoints=_scale_path(points, codec), parts=_locate(text, found, points)
        )
    except AnswerError as error:
        return error.failure
    return _add_thought(trajectory, text)


PARSERS: dict[str, Callable[[str, Codec], AnyAnswer]] = {
    Plan.kind: parse_answer,
    Affordance.kind: parse_affordance,
    Trajectory.kind: parse_trajectory,
}
"""How a text is read, by what the policy was asked for."""


def _locate(text: str, found: Found, lists: Sequence[list[float]]) -> tuple[Part, ...]:
    """Where the box, if one was read, and each waypoint stand in the text.

    Args:
        text: What was read.
        found: The answer in it.
        lists: The box, where there is one, and the points, as they were decoded.
    """
    spans = find_spans(text, found, lists)
    boxes = sum(len(numbers) == 4 for numbers in lists)
    return tuple(
        Part(
            name="box" if place < boxes else "waypoint",
            index=max(place - boxes, 0),
            start=start,
            end=end,
        )
        for place, (start, end) in enumerate(spans)
    )


def _list_numbers(answer: Plan | Affordance | Trajectory) -> Iterator[float]:
    if isinstance(answer, Plan | Affordance):
        yield from answer.box
    if isinstance(answer, Plan | Trajectory):
        yield from chain.from_iterable(answer.waypoints)


def _write_box(box: Sequence[float], codec: Codec) -> list[int]:
    x1, y1, x2, y2 = box
    left, right = _round_interval(x1 * codec.width, x2 * codec.width, codec.width)
    top, bottom = _round_interval(y1 * codec.height, y2 * codec.height, codec.height)
    return [left, top, right, bottom]


def _round_interval(low: float, high: float, size: float) -> tuple[int, int]:
    """Round both ends; widen to one unit an interval that rounding would close."""
    a, b = round(low), round(high)
    if a == b and low < high:
        a = min(math.floor(low), int(size) - 1)
        b = max(math.ceil(high), a + 1)
    return a, b


def _scale_box(box: Sequence[float], codec: Codec) -> tuple[float, float, float, float]:
    """The box in image units; refuses one off the image or without area."""
    x1, y1, x2, y2 = box
    (left, top), (right, bottom) = _scale(x1, y1, codec), _scale(x2, y2, codec)
    # Compared after the division: decimals can differ by less than it resolves.
    if left >= right or top >= bottom:
        raise AnswerError("empty_box", box)
    return left, top, right, bottom


def _scale_path(
    points: Sequence[Sequence[float]], codec: Codec
) -> tuple[tuple[float, ...], ...]:
    """Points in image units, heights in metres; refuses those that cannot be."""
    path = []
    for x, y, *heights in points:
        if not all(0 <= height <= MAX_HEIGHT * _MM_PER_M for height in heights):
            raise AnswerError("height_out_of_range", [x, y, *heights])
        path.append((*_scale(x, y, codec), *(h / _MM_PER_M for h in heights)))
    return tuple(path)


def _scale(x: float, y: float, codec: Codec) -> tuple[float, float]:
    """A point of the image in image units."""
    if not (0 <= x <= codec.width and 0 <= y <= codec.height):
        raise AnswerError("outside_image", [x, y])
    return x / codec.width, y / codec.height


def _add_thought(answer: _Read, text: str) -> _Read:
    """The answer with the first thought, and whether the whole text is well formed."""
    pieces = TAG.split(text)
    tags = pieces[1::2]
    thought = pieces[2 * tags.index("<think>") + 2] if "<think>" in tags else ""
    well_formed = (
        tags == ["<think>", "</think>", "<answer>", "</answer>"]
        and not any(pieces[i].strip() for i in (0, 4, 8))
        and _STRICT[answer.kind].fullmatch(pieces[6]) is not None
    )
    return replace(answer, thought=thought.strip(), well_formed=well_formed)
