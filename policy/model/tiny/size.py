"""Sizes of the default policy, refused where no model can have them.

This file must not import torch: a mistake is answered at once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

STRIDE = 4  # pixels between the points that training marks in an image token's cell


@dataclass(frozen=True, slots=True, kw_only=True)
class TinySize:
    """Sizes of the default policy.

    Attributes:
        image: Side of the square input image in pixels; a multiple of patch * merge.
        patch: Side of a patch in pixels; patch * merge is a multiple of `STRIDE`.
        merge: Patches on a side that one language token stands for.
        width: Width of tower and language model; a multiple of 4 * tower_heads, as a
            head of the tower turns by row and by column, and of 2 * language_heads.
        tower_heads: Attention heads of the tower; few, as attention over 256 patches
            is what a step on a CPU waits for (0.62 s with 3 heads, 0.77 s with 6).
        language_heads: Attention heads of the language model.
        tower_layers: Layers of the vision tower.
        language_layers: Layers of the language model.
        tower_hidden: Width inside the tower's feed-forward layers.
        language_hidden: Width inside the language model's feed-forward layers.

    Raises:
        ValueError: A size that no model can have.
    """

    image: int = 224
    patch: int = 14
    merge: int = 2
    width: int = 192
    tower_heads: int = 3
    language_heads: int = 4
    tower_layers: int = 4
    language_layers: int = 4
    tower_hidden: int = 768
    language_hidden: int = 512

    def __post_init__(self) -> None:
        """Refuses what does not fit together; the message names the value."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"size.{field.name} is {value}; a whole number of at least 1"
                )
        cell = "size.patch * size.merge"
        _check_multiple(cell, self.cell, STRIDE, "the stride of training's marks")
        _check_multiple("size.image", self.image, self.cell, cell)
        for step, name in ((4, "tower_heads"), (2, "language_heads")):
            share = step * getattr(self, name)
            _check_multiple("size.width", self.width, share, f"{step} * size.{name}")

    @property
    def grid(self) -> int:
        """Patches on a side of the image."""
        return self.image // self.patch

    @property
    def cell(self) -> int:
        """Pixels on a side of what one language token stands for."""
        return self.patch * self.merge


def _check_multiple(name: str, value: int, step: int, why: str) -> None:
    if value % step:
        raise ValueError(f"{name} is {value}; a multiple of {step}, {why}")
