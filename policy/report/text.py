"""A model's text in pieces, so that a page can colour its box and its path."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from unicodedata import category

from envs.answer import PARSERS, Codec
from envs.records import ParseFailure

# Of whatever family the coordinates are: only where they stand in the text is asked.
ANY = Codec(1e9, 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of text.

    Attributes:
        text: The text.
        kind: "box", "waypoint", "control" for a character that cannot be seen but may
            reorder others, or "" for any other text.
    """

    text: str
    kind: str = ""

    @property
    def shown(self) -> str:
        """The text, or the name of what cannot be seen."""
        return f"U+{ord(self.text):04X}" if self.kind == "control" else self.text


def split_text(text: str) -> list[Piece]:
    """Returns a text's pieces; joined they are the text."""
    pieces, end = [], 0
    for start, stop, kind in _find_parts(text):
        pieces += _split_controls(text[end:start])
        pieces.append(Piece(text=text[start:stop], kind=kind))
        end = stop
    return pieces + _split_controls(text[end:])


def _split_controls(text: str) -> list[Piece]:
    runs = groupby(text, key=_is_control)
    return [
        piece
        for hidden, run in runs
        for piece in (
            [Piece(text=c, kind="control") for c in run]
            if hidden
            else [Piece(text="".join(run))]
        )
    ]


def _is_control(character: str) -> bool:
    return category(character) in ("Cc", "Cf") and character not in "\n\t"


def _find_parts(text: str) -> list[tuple[int, int, str]]:
    for parse in PARSERS.values():
        answer = parse(text, ANY)
        if not isinstance(answer, ParseFailure):
            return sorted((part.start, part.end, part.name) for part in answer.parts)
    return []
