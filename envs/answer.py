"""The answer grammar: the only place that turns plans into text and text into plans.

    <think>free text</think><answer>{"affordance": [x1, y1, x2, y2],
    "trajectory": [[x, y], ...]}</answer>

A text is *well formed* when all of it matches this, with whole numbers and nothing but
white space around the two elements. A plan is also read from a text that is not well
formed, if its one answer can be read without guessing: words or a code fence around
the object, a missing tag, keys in another order, decimals. Two answers are a failure
and not "the last one counts": a policy has to commit to one plan, or hedging would pay.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from envs.records import ParseFailure, Plan

MIN_WAYPOINTS = 3
MAX_WAYPOINTS = 10
MAX_HEIGHT = 1.0
"""Largest height above the table in metres; no arm of this size reaches higher."""

PARSE_FAILURES = (
    "empty",  # nothing but white space
    "no_answer",  # no object where the answer should be
    "several_answers",  # more than one answer, or one key twice
    "not_json",  # cut off, nested too deeply or otherwise unreadable
    "wrong_keys",  # not exactly "affordance" and "trajectory"
    "not_numbers",  # something else where a finite number belongs
    "wrong_size",  # a box without 4 numbers, points without 2 (or all 3) numbers
    "wrong_count",  # fewer than 3 or more than 10 waypoints
    "empty_box",  # corners swapped or equal
    "outside_image",  # a coordinate off the image
    "height_out_of_range",  # a third number below 0 or above 1000 mm
)

_MM_PER_M = 1000
_TAG = re.compile(r"(</?(?:think|answer)>)")
_INNERMOST = re.compile(r"\[([^\[\]]*)\]")
_INT = r"\s*(?:0|[1-9][0-9]*)\s*"
_POINT = rf"\s*\[{_INT},{_INT}(?:,{_INT})?\]\s*"
_STRICT = re.compile(
    rf'\s*\{{\s*"affordance"\s*:\s*\[{_INT}(?:,{_INT}){{3}}\]\s*,'
    rf'\s*"trajectory"\s*:\s*\[{_POINT}(?:,{_POINT})*\]\s*\}}\s*',
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Where one part of an answer stands in its text.

    Attributes:
        name: "box" or "waypoint".
        index: 0 for the box, else the waypoint's place in the path.
        start: First character of the part's first number.
        end: One past the last character of its last number.
    """

    name: str
    index: int
    start: int
    end: int


class _Raw(NamedTuple):
    """An answer of the right shape, its numbers still in wire units."""

    box: list[float]
    """Four finite numbers."""
    points: list[list[float]]
    """3 to 10 points of two (or all of three) finite numbers."""
    spans: list[tuple[int, int]]
    """Characters of the text that hold the box, then each point."""


class _ParseError(Exception):
    """Carries a `ParseFailure` out of the reading functions; never leaves this file."""

    def __init__(self, reason: str, culprit: object = "") -> None:
        super().__init__(reason)
        text = ascii(culprit)
        self.failure = ParseFailure(
            reason=reason, detail=text if len(text) <= 80 else text[:77] + "..."
        )


def format_answer(plan: Plan, codec: Codec = NORMALIZED) -> str:
    """Write a plan as an answer; the inverse of `parse_answer` up to rounding.

    It does not judge: a plan outside the image gives a text that does not parse.

    Args:
        plan: The plan to write; `well_formed` is ignored.
        codec: The model family's coordinates.

    Returns:
        A text with each number within half a wire unit of the plan's, within one
        unit where a thin box would otherwise become empty.

    Raises:
        ValueError: If the thought contains a tag of the grammar, or a number is NaN.
    """
    if tag := _TAG.search(plan.thought):
        raise ValueError(f"thought contains {tag[0]!r}; it may hold any text but tags")
    x1, y1, x2, y2 = plan.box
    left, right = _round_interval(x1 * codec.width, x2 * codec.width, codec.width)
    top, bottom = _round_interval(y1 * codec.height, y2 * codec.height, codec.height)
    scale = (codec.width, codec.height, _MM_PER_M)
    points = [[round(v * s) for v, s in zip(p, scale)] for p in plan.waypoints]
    answer = {"affordance": [left, top, right, bottom], "trajectory": points}
    thought = plan.thought.strip()
    return f"<think>{thought}</think><answer>{json.dumps(answer)}</answer>"


def parse_answer(text: str, codec: Codec = NORMALIZED) -> Plan | ParseFailure:
    """Read a plan from any text, in time linear in its length.

    Args:
        text: What the model wrote.
        codec: The model family's coordinates.

    Returns:
        The plan in image units and metres, or why there is none.
    """
    try:
        raw = _read(text)
        _check_ranges(raw, codec)
    except _ParseError as error:
        return error.failure
    thought, well_formed = _read_thought(text)
    x1, y1, x2, y2 = raw.box
    w, h = codec.width, codec.height
    scale = (w, h, _MM_PER_M)
    return Plan(
        box=(x1 / w, y1 / h, x2 / w, y2 / h),
        waypoints=tuple(tuple(v / s for v, s in zip(p, scale)) for p in raw.points),
        thought=thought,
        well_formed=well_formed,
    )


def locate_parts(text: str) -> list[Part]:
    """Find the characters that hold the box and each waypoint, for per-part credit.

    Args:
        text: What the model wrote; coordinates are not checked, so any codec will do.

    Returns:
        The box, then the waypoints in order; empty if the answer cannot be read.
    """
    try:
        spans = _read(text).spans
    except _ParseError:
        return []
    (start, end), *points = spans
    box = Part(name="box", index=0, start=start, end=end)
    return [box] + [
        Part(name="waypoint", index=index, start=start, end=end)
        for index, (start, end) in enumerate(points)
    ]


def _round_interval(low: float, high: float, size: float) -> tuple[int, int]:
    """Round both ends; widen to one unit an interval that rounding would close."""
    a, b = round(low), round(high)
    if a == b and low < high:
        a = min(math.floor(low), int(size) - 1)
        b = max(math.ceil(high), a + 1)
    return a, b


def _read(text: str) -> _Raw:
    """Find the answer's object and check its shape, not yet its ranges."""
    if not text or text.isspace():
        raise _ParseError("empty")
    start, end = _find_object(text)
    pairs = _load(text[start:end])
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise _ParseError("several_answers", names)
    if set(names) != {"affordance", "trajectory"}:
        raise _ParseError("wrong_keys", names)
    values = dict(pairs)
    box = _read_numbers(values["affordance"], sizes=(4,))
    points = values["trajectory"]
    if not isinstance(points, list):
        raise _ParseError("not_numbers", points)
    if not MIN_WAYPOINTS <= len(points) <= MAX_WAYPOINTS:
        raise _ParseError("wrong_count", f"{len(points)} waypoints")
    points = [_read_numbers(point, sizes=(2, 3)) for point in points]
    if len({len(point) for point in points}) > 1:
        raise _ParseError("wrong_size", points)
    spans = _find_brackets(text, start, end)
    if names[0] == "trajectory":
        spans = spans[-1:] + spans[:-1]
    return _Raw(box, points, spans)


def _find_brackets(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Spans of what stands in the innermost brackets, without white space around.

    An answer holds numbers and two known keys only, so these are exactly the box and
    the points.
    """
    spans = []
    for match in _INNERMOST.finditer(text, start, end):
        inner = match[1]
        first = match.end(1) - len(inner.lstrip())
        spans.append((first, first + len(inner.strip())))
    return spans


def _find_object(text: str) -> tuple[int, int]:
    """Span of the answer's object: from the first to the last brace of its piece."""
    pieces = _TAG.split(text)
    tags = pieces[1::2]
    answers = [2 * i + 2 for i, tag in enumerate(tags) if tag == "<answer>"]
    if not answers:  # an untagged answer may stand anywhere but in the thought
        thoughts = {2 * i + 2 for i, tag in enumerate(tags) if tag == "<think>"}
        outside = [i for i in range(0, len(pieces), 2) if i not in thoughts]
        answers = [i for i in outside if "{" in pieces[i]]
    if not answers:
        raise _ParseError("no_answer", text)
    if len(answers) > 1:
        raise _ParseError("several_answers", f"{len(answers)} answers")
    piece = pieces[answers[0]]
    offset = sum(len(p) for p in pieces[: answers[0]])
    start, end = piece.find("{"), piece.rfind("}") + 1
    if start < 0:
        raise _ParseError("no_answer", piece)
    if end <= start:
        raise _ParseError("not_json", piece)
    return offset + start, offset + end


def _load(body: str) -> list[tuple[str, Any]]:
    """Decode one JSON object as pairs, so that a key given twice is seen.

    Integers are read as floats: Python refuses to decode more than 4300 digits, and a
    float of that size is infinite, which the reader of numbers rejects.
    """
    try:
        return json.loads(body, object_pairs_hook=list, parse_int=float)
    except RecursionError:
        raise _ParseError("not_json", "nested too deeply") from None
    except json.JSONDecodeError:
        several = body.count('"affordance"') > 1
        reason = "several_answers" if several else "not_json"
        raise _ParseError(reason, body) from None


def _read_numbers(value: Any, sizes: tuple[int, ...]) -> list[float]:
    """A list of finite numbers, as many as one of `sizes`; true and "1" are none."""
    if not isinstance(value, list):
        raise _ParseError("not_numbers", value)
    for number in value:
        if not isinstance(number, float) or not math.isfinite(number):
            # The repr of a list nested 900 deep would exceed the recursion limit.
            nested = isinstance(number, list | tuple)
            raise _ParseError("not_numbers", "nested array" if nested else number)
    if len(value) not in sizes:
        raise _ParseError("wrong_size", value)
    return value


def _check_ranges(raw: _Raw, codec: Codec) -> None:
    """Refuse coordinates off the image, boxes without area, impossible heights."""
    x1, y1, x2, y2 = raw.box
    for x, y in [(x1, y1), (x2, y2), *((p[0], p[1]) for p in raw.points)]:
        if not (0 <= x <= codec.width and 0 <= y <= codec.height):
            raise _ParseError("outside_image", [x, y])
    # Compared after the division too: decimals can differ by less than it resolves.
    if x1 / codec.width >= x2 / codec.width or y1 / codec.height >= y2 / codec.height:
        raise _ParseError("empty_box", raw.box)
    for point in raw.points:
        if len(point) == 3 and not 0 <= point[2] <= MAX_HEIGHT * _MM_PER_M:
            raise _ParseError("height_out_of_range", point)


def _read_thought(text: str) -> tuple[str, bool]:
    """The first thought ("" if none) and whether the whole text is well formed."""
    pieces = _TAG.split(text)
    tags = pieces[1::2]
    thought = pieces[2 * tags.index("<think>") + 2] if "<think>" in tags else ""
    well_formed = (
        tags == ["<think>", "</think>", "<answer>", "</answer>"]
        and not any(pieces[i].strip() for i in (0, 4, 8))
        and _STRICT.fullmatch(pieces[6]) is not None
    )
    return thought.strip(), well_formed
