"""Finds an answer's numbers in any text: what models really say, nothing guessed.

Pretrained models spell the grammar's object (`envs.answer`) in the ways they were
taught. These are read, in any mixture, because each says what its numbers are:

    {"affordance": BOX, "trajectory": PATH}   keys in any order, words beside them
    [{"affordance": BOX}, {"trajectory": PATH}]          the same, spread over a list
    [{"bbox_2d": ...}, {"point_2d": ...}, ...]           Qwen's keys in their place
    BOX   [x1, y1, x2, y2], {"bbox_2d": [...], "label": "mug"}, or a list of one such
    PATH  [POINT, ...]
    POINT [x, y], [x, y, height] or {"point_2d": [x, y], "label": "start"}

Where only a box or only a path is asked, it may also stand alone, without a key. All
else is refused: two boxes (hedging would pay), numbers in a row that may be points,
names of corners, a list that was cut off.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from envs.records import MAX_WAYPOINTS, MIN_WAYPOINTS, ParseFailure

PARSE_FAILURES = (
    "empty",  # nothing but white space
    "no_answer",  # no object where the answer should be
    "several_answers",  # more than one answer, or one key twice
    "not_json",  # cut off, nested too deeply or otherwise unreadable
    "wrong_keys",  # what is asked is missing, or more than words beside it
    "not_numbers",  # something else where a finite number belongs
    "wrong_size",  # a box without 4 numbers, points without 2 (or all 3) numbers
    "wrong_count",  # fewer than 3 or more than 10 waypoints
    "empty_box",  # corners swapped or equal
    "outside_image",  # a coordinate off the image
    "height_out_of_range",  # a third number below 0 or above 1000 mm
)

TAG = re.compile(r"(</?(?:think|answer)>)")
_KEYS = ("affordance", "bbox_2d", "trajectory", "point_2d")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(-?[0-9][0-9.eE+-]*)')


class Found(NamedTuple):
    """An answer that was found in a text and decoded."""

    claims: dict[str, list[Any]]
    """What stands at each known key, in the order of the text."""
    values: list[Any]
    """All of it."""
    start: int
    """First character of what was decoded."""
    end: int
    """One past its last character."""


class AnswerError(Exception):
    """Carries a `ParseFailure` out of the reading; `envs.answer` catches it."""

    def __init__(self, reason: str, culprit: object = "") -> None:
        super().__init__(reason)
        text = ascii(culprit)
        self.failure = ParseFailure(
            reason=reason, detail=text if len(text) <= 80 else text[:77] + "..."
        )


@dataclass(frozen=True, slots=True)
class _Object:
    """A JSON object as pairs, so that a key given twice is seen."""

    pairs: list[tuple[str, Any]]


def find_answer(text: str, kind: str) -> Found:
    """Finds and decodes the one answer of a text.

    Args:
        text: What the model wrote.
        kind: One of `envs.records.ANSWERS`.

    Raises:
        AnswerError: There is none, more than one, or it is not JSON.
    """
    if not text or text.isspace():
        raise AnswerError("empty")
    start, end = _find_span(text, ("{}",) if kind == "plan" else ("{}", "[]"))
    values = _decode(text[start:end])
    alone = text[start] == "["
    claims = _gather([]) | {kind: values} if alone else _gather(values)
    return Found(claims, values, start, end)


def read_box(found: Found) -> list[float]:
    """Returns the four numbers of the answer's box, in wire units.

    Raises:
        AnswerError: There is not exactly one box, or it is no box.
    """
    value = _take_one(found.claims["affordance"] + found.claims["bbox_2d"], "box")
    listed = isinstance(value, list) and value and not any(map(_is_leaf, value))
    boxes = [_read_numbers(v, "bbox_2d", (4,)) for v in (value if listed else [value])]
    return _take_one(boxes, "box")


def read_points(found: Found) -> list[list[float]]:
    """Returns the answer's 3 to 10 points of two (or all of three) numbers.

    Raises:
        AnswerError: There is not exactly one path, or it is no path.
    """
    loose = found.claims["point_2d"]
    paths = found.claims["trajectory"] + ([loose] if loose else [])
    points = _take_one(paths, "path")
    if not isinstance(points, list):
        raise AnswerError("not_numbers", _name(points))
    if not MIN_WAYPOINTS <= len(points) <= MAX_WAYPOINTS:
        raise AnswerError("wrong_count", f"{len(points)} waypoints")
    read = [_read_numbers(point, "point_2d", (2, 3)) for point in points]
    if len({len(point) for point in read}) > 1:
        raise AnswerError("wrong_size", read)
    return read


def find_spans(
    text: str, found: Found, parts: Sequence[list[float]]
) -> list[tuple[int, int]]:
    """Returns where the parts of an answer stand in its text.

    Args:
        text: The text.
        found: What `find_answer` found in it.
        parts: Boxes and points, the very lists that were read from it.

    Returns:
        For each the first character of its first number, and one past its last.
    """
    # The numbers of the text, digits in words left out, are those of the decoder.
    tokens = _TOKEN.finditer(text, found.start, found.end)
    spans = [token.span(1) for token in tokens if token[1]]
    before = _count_numbers(found.values)
    firsts = [before[id(part)] for part in parts]
    return [
        (spans[first][0], spans[first + len(part) - 1][1])
        for first, part in zip(firsts, parts, strict=True)
    ]


def _count_numbers(values: list[Any]) -> dict[int, int]:
    """How many numbers stand before each list of an answer, by the list's id."""
    before: dict[int, int] = {}
    count, rest = 0, [values]
    while rest:  # what nobody asked for may be nested too deeply for a recursion
        value = rest.pop()
        if isinstance(value, float):
            count += 1
        elif isinstance(value, list):
            before[id(value)] = count
            rest += reversed(value)
        elif isinstance(value, _Object):
            rest += [held for _, held in reversed(value.pairs)]
    return before


def _find_span(text: str, brackets: tuple[str, ...]) -> tuple[int, int]:
    """Span of the answer in its piece of the text, of the first brackets found there.

    It goes from the first opening to the last closing one, so that an object may stand
    in a list; a list that is open at the end was cut off.
    """
    offset, piece = _find_piece(text, brackets)
    for opening, closing in brackets:
        start, end = piece.find(opening), piece.rfind(closing) + 1
        if start < 0:
            continue
        listed = piece[:start].rstrip().endswith("[") and opening == "{"
        open_end = listed and not piece[end:].lstrip().startswith("]")
        if end <= start or opening in piece[end:] or open_end:
            raise _unreadable(piece)
        return offset + start, offset + end
    raise AnswerError("no_answer", piece)


def _find_piece(text: str, brackets: tuple[str, ...]) -> tuple[int, str]:
    """Where the text between two tags starts that holds the answer, and that text."""
    pieces = TAG.split(text)
    tags = pieces[1::2]
    answers = [2 * i + 2 for i, tag in enumerate(tags) if tag == "<answer>"]
    # An answer without its tag may stand anywhere but in the thought.
    thoughts = {2 * i + 2 for i, tag in enumerate(tags) if tag == "<think>"}
    outside = [i for i in range(0, len(pieces), 2) if i not in thoughts]
    for opening, _ in brackets:
        answers = answers or [i for i in outside if opening in pieces[i]]
    if not answers:
        raise AnswerError("no_answer", text)
    if len(answers) > 1:
        raise AnswerError("several_answers", f"{len(answers)} answers")
    return sum(len(p) for p in pieces[: answers[0]]), pieces[answers[0]]


def _decode(body: str) -> list[Any]:
    """Decodes one JSON value, or several with commas between them.

    Integers are read as floats: Python refuses to decode more than 4300 digits, and a
    float of that size is infinite, which the reader of numbers rejects. NaN is no JSON.
    """
    try:
        return json.loads(
            f"[{body}]",
            object_pairs_hook=_Object,
            parse_int=float,
            parse_constant=lambda name: None,
        )
    except RecursionError:
        raise AnswerError("not_json", "nested too deeply") from None
    except json.JSONDecodeError:
        raise _unreadable(body) from None


def _unreadable(text: str) -> AnswerError:
    """What is wrong with a text that is no JSON: a key of which one may be is twice."""
    several = any(text.count(f'"{key}"') > 1 for key in _KEYS if key != "point_2d")
    return AnswerError("several_answers" if several else "not_json", text)


def _gather(values: list[Any]) -> dict[str, list[Any]]:
    """What objects hold at the known keys; beside them there may be words only."""
    claims: dict[str, list[Any]] = {key: [] for key in _KEYS}
    pairs = [pair for v in values if isinstance(v, _Object) for pair in v.pairs]
    for key, value in pairs:
        if key in claims:
            claims[key].append(value)
        elif not isinstance(value, str):
            raise AnswerError("wrong_keys", [key for key, _ in pairs])
    if not all(isinstance(value, _Object) for value in values):
        raise AnswerError("wrong_keys", "a list of more than objects")
    return claims


def _take_one(values: list[Any], what: str) -> Any:
    """The only one of some values."""
    if not values:
        raise AnswerError("wrong_keys", f"no {what}")
    if len(values) > 1:
        raise AnswerError("several_answers", f"more than one {what}")
    return values[0]


def _read_numbers(value: Any, key: str, sizes: tuple[int, ...]) -> list[float]:
    """A list of finite numbers, or an object that holds one at `key`.

    There are as many as one of `sizes`; true and "1" are no numbers.
    """
    if isinstance(value, _Object):
        value = _take_one(_gather([value])[key], key)
    if not isinstance(value, list):
        raise AnswerError("not_numbers", _name(value))
    for number in value:
        if not isinstance(number, float) or not math.isfinite(number):
            raise AnswerError("not_numbers", _name(number))
    if len(value) not in sizes:
        raise AnswerError("wrong_size", value)
    return value


def _is_leaf(value: Any) -> bool:
    """Whether a value holds no others."""
    return not isinstance(value, list | _Object)


def _name(value: Any) -> object:
    """What to call a culprit: the repr of a list nested 900 deep cannot be written."""
    return value if _is_leaf(value) else "nested array or object"
