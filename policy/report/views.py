"""What a page shows of each scene: cards, ready to be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from policy.report.films import Media
from policy.report.run import Row
from policy.report.scenes import Attempt, Case
from policy.report.text import Piece, split_text

UNIT = 1000  # of a drawing, along either side of an image
Find = Callable[[Path], str]
"""From a file to the name under which the page has it; "" if there is no such file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A box and a path in `UNIT`s of an image.

    Attributes:
        box: Left, top, width, height.
        path: Points.
    """

    box: tuple[float, ...] | None
    path: tuple[tuple[float, float], ...]

    @property
    def points(self) -> str:
        """The path as SVG writes it."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer.

    Attributes:
        image: Name of the image that was seen.
        answer: What was answered.
        expert: What the expert would have.
        pieces: The text.
        success: Whether it did what was asked.
        word: What became of it.
        reward: What it earned.
        terms: Names and values of what the reward is made of.
    """

    image: str
    answer: Drawing
    expert: Drawing
    pieces: list[Piece]
    success: bool
    word: str
    reward: float
    terms: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One policy's attempt: whose, its turns, and the name of its film."""

    by: str
    turns: list[Turn]
    film: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One scene and what each policy made of it.

    Attributes:
        env: The kind of scene.
        split: Which ranges.
        seed: Its seed.
        instruction: What was asked.
        verdict: One of those of `policy.report.scenes`.
        reasons: Why attempts failed.
        panels: One a policy.
    """

    env: str
    split: str
    seed: int
    instruction: list[Piece]
    verdict: str
    reasons: list[str]
    panels: list[Panel]


def build_card(case: Case, media: Mapping[str, Media], find: Find) -> Card:
    """Returns a case as a page shows it.

    Args:
        case: The scene and its attempts.
        media: Where the pictures of each policy's attempts are.
        find: Names a file for the page.
    """
    first = case.first
    return Card(
        env=first["env"],
        split=first["scene"].get("split", ""),
        seed=first["seed"],
        instruction=split_text(first["instruction"]),
        verdict=case.verdict,
        reasons=sorted({a.reason for a in case.attempts if not a.success}),
        panels=[_build_panel(a, media[a.by], find) for a in case.attempts],
    )


def word_reason(reason: str) -> str:
    """A reason of failure as people write it."""
    return reason.replace("_", " ")


def _build_panel(attempt: Attempt, media: Media, find: Find) -> Panel:
    return Panel(
        by=attempt.by,
        turns=[_build_turn(row, find(media.find_image(row))) for row in attempt.turns],
        film=find(media.find_film(attempt)),
    )


def _build_turn(row: Row, image: str) -> Turn:
    reason = row["reason"] or row["parse_failure"] or ""
    plain = "success" if row["success"] else word_reason(reason) or "not executed"
    return Turn(
        image=image,
        answer=_draw(row),
        expert=_draw(row.get("expert") or {}),
        pieces=split_text(row["text"]),
        success=bool(row["success"]),
        word=plain,
        reward=row["reward"],
        terms=row["terms"],
    )


def _draw(answer: Row) -> Drawing:
    box, path = answer.get("box"), answer.get("waypoints")
    return Drawing(
        box=_scale((box[0], box[1], box[2] - box[0], box[3] - box[1])) if box else None,
        path=tuple((_scale(point[:2])) for point in path or ()),  # type: ignore
    )


def _scale(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(UNIT * float(value), 1) for value in values)
