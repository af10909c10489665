"""What passes between a set's files and whoever learns from them.

file -> Item | BrokenItem -> Annotation          Sample -> file
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

UNITS, PIXELS = "image units", "pixels"
Box = tuple[float, float, float, float]


class Source(Protocol):
    """Where an image's bytes are."""

    def read(self) -> bytes:
        """The bytes of the image file; a FileNotFoundError if there is none."""
        ...


class BrokenItem(Exception):
    """An item that cannot be learned from.

    Args:
        reason: One of `REASONS`.
        detail: The culprit, for the list of broken items.
    """

    def __init__(self, reason: str, detail: object = "") -> None:
        said = _shorten(detail)
        super().__init__(f"{reason}: {said}")
        self.reason, self.detail = reason, said


def _shorten(detail: object) -> str:
    try:
        return str(detail)[:200]
    except RecursionError:
        return "what is nested too deeply to be shown"


REASONS = (
    "bad_json",
    "wrong_type",
    "missing_field",
    "missing_image",
    "unreadable_image",
    "truncated_image",
    "not_a_number",
    "box_outside",
    "empty_box",
    "point_outside",
    "few_points",
    "empty_mask",
    "no_instruction",
    "too_large",
)
"""Why items are left out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """One annotated image as a file says it, not checked.

    Attributes:
        name: Where it stands, for the list of broken items.
        image: Where its image is.
        instruction: The task in words.
        box: [4] left, top, right, bottom; None if it has none.
        waypoints: [K, 2 or 3] points, heights in metres; None if it has none.
        units: `UNITS` (0..1), `PIXELS` of the image, or the (width, height) of the
            image that was annotated; None if that is what the numbers have to tell.
        category: What `without=` may leave out.
        split: The set's own word for the part of it that the item belongs to.
    """

    name: str
    image: Source
    instruction: Any
    box: Any = None
    waypoints: Any = None
    units: str | tuple[Any, Any] | None = PIXELS
    category: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotation:
    """One annotated image, checked, its pixels still on disk.

    Attributes:
        name: Where it stands in its set.
        image: Where its image is.
        picture: A number that equal image files share, wherever they are.
        instruction: The task in words.
        box: In image units; None if it has none.
        waypoints: [K, 2 or 3] in image units and metres; None if it has none.
        category: What `without=` may leave out.
        split: The set's own word for the part of it that the item belongs to.
    """

    name: str
    image: Source
    picture: int
    instruction: str
    box: Box | None
    waypoints: NDArray[np.float64] | None
    category: str
    split: str

    @property
    def has_heights(self) -> bool:
        """Whether each point of a path has a third number."""
        return self.waypoints is not None and self.waypoints.shape[1] == 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One annotated image to be written.

    Attributes:
        image: [H, W, 3] uint8.
        instruction: The task in words.
        box: In image units.
        waypoints: In image units, heights in metres.
        part: [H, W] whether a pixel shows the part to touch.
        category: Kind of scene.
        thing: Kind of object to touch, such as "mug".
        split: "train", "test" or "ood".
        thought: Words before the answer.
        scene: What the scene was made from, as plain data.
    """

    image: NDArray[np.uint8]
    instruction: str
    box: Box
    waypoints: Sequence[Sequence[float]]
    part: NDArray[np.bool_]
    category: str
    thing: str
    split: str
    thought: str = ""
    scene: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.image.shape[:2]
        return width, height

    @property
    def pixel_box(self) -> list[float]:
        """The box in pixels."""
        return [v * side for v, side in zip(self.box, self.size * 2, strict=True)]

    @property
    def pixel_path(self) -> list[list[float]]:
        """The waypoints in pixels, without heights."""
        width, height = self.size
        return [[x * width, y * height] for x, y, *_ in self.waypoints]
