"""Words around annotations: the task in a prompt, numbers in an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from policy.data.formats.rows import take
from policy.data.records import BrokenItem

_QUOTED = re.compile(r'\btask (?:is|instruction is):?\s*"(.+?)"(?=[\s.,]|$)', re.S)
_STATED = re.compile(r"\btask (?:is|instruction is):\s*(.+?)(?:\.\s|\.?$)", re.S)
_MARKS = re.compile(r"<image[^>]*>")
_INNERMOST = re.compile(r"\[([^\[\]]*)\]")
LONGEST = 2**14  # characters: the time to find a task in a text grows with their square


def read_task(text: Any) -> str:
    """Returns the task that a prompt names; the whole prompt where it names none.

    Raises:
        BrokenItem: It is no text, or a book.
    """
    plain = " ".join(_MARKS.sub(" ", check_text(text)).split())
    found = _QUOTED.search(plain) or _STATED.search(plain)
    return found[1].strip() if found else plain


def check_text(text: Any) -> str:
    """Returns a text of a length that can be searched.

    Raises:
        BrokenItem: It is longer, or no text.
    """
    if not isinstance(text, str):
        raise BrokenItem("wrong_type", text)
    if len(text) > LONGEST:
        raise BrokenItem("wrong_type", f"{len(text)} characters, at most {LONGEST}")
    return text


def read_conversation(row: Any) -> tuple[str, str]:
    """Returns the first question and the first answer of a row with `conversations`.

    Raises:
        BrokenItem: It has none.
    """
    turns = take(row, "conversations")
    if not isinstance(turns, list):
        raise BrokenItem("wrong_type", turns)
    said: dict[str, Any] = {}
    for turn in turns:
        said.setdefault(str(take(turn, "from")), take(turn, "value"))
    for who in ("human", "gpt"):
        if who not in said:
            raise BrokenItem("missing_field", f"what {who} says")
    return check_text(said["human"]), check_text(said["gpt"])


def find_lists(text: str, length: int) -> list[list[float]]:
    """Returns the innermost lists of so many numbers in a text."""
    found = []
    for match in _INNERMOST.finditer(text):
        numbers = match[1].split(",")
        try:
            row = [float(number) for number in numbers]
        except ValueError:
            continue
        if len(row) == length:
            found.append(row)
    return found


def converse(question: str, answer: str) -> list[dict[str, str]]:
    """Returns a question and its answer as rows have them."""
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def spell(numbers: Sequence[Any]) -> str:
    """Returns numbers as text, exactly."""
    return json.dumps(numbers)
