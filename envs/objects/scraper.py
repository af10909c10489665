"""A scraper to sweep with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco

from envs.objects.primitives import add_shape
from envs.randomization.colours import Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class ScraperShape:
    """Size of a scraper in metres; it pushes along its x axis.

    Attributes:
        width: Width of the blade.
        depth: Depth of the wings, which keep what is pushed in front of the blade.
        height: Height of the handle's top.
    """

    width: float
    depth: float
    height: float


def add_scraper(body: Any, shape: ScraperShape, colour: Colour) -> None:
    """Gives a body a blade with wings, and the part `<name>/handle` on top."""
    box, thick, tall = mujoco.mjtGeom.mjGEOM_BOX, 0.004, 0.012
    half = shape.width / 2
    blade = (thick, half, tall)
    add_shape(body, box, size=blade, pos=(0, 0, tall), colour=colour)
    for side in (-1, 1):
        add_shape(
            body,
            box,
            size=(shape.depth / 2, thick / 2, tall),
            pos=(shape.depth / 2, side * (half - thick / 2), tall),
            colour=colour,
        )
    grip = (shape.height - 2 * tall) / 2
    add_shape(
        body.add_body(name=f"{body.name}/handle"),
        box,
        size=(0.009, 0.018, grip),
        pos=(0, 0, 2 * tall + grip),
        colour=(0.45, 0.30, 0.18),
    )
