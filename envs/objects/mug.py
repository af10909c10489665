"""Mugs of named parts, and how a scene draws one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco

from envs.objects.placement import Circle
from envs.objects.primitives import add_ring, add_shape
from envs.randomization.colours import Colour
from envs.randomization.factors import Factors, Range

RIM = 0.014  # m, height of the upper end of a mug's wall that counts as its rim


@dataclass(frozen=True, slots=True, kw_only=True)
class MugShape:
    """Size of a mug in metres; the handle points along its x axis.

    Attributes:
        radius: Outer radius of the wall.
        height: The rim's height above the table.
        wall: Thickness of the wall.
        reach: How far the handle stands out from the wall.
        span: Height of the handle.
        thickness: Thickness of the handle's bars.
    """

    radius: float
    height: float
    wall: float
    reach: float
    span: float
    thickness: float

    def footprint(self) -> tuple[Circle, ...]:
        """The mug, its handle, and room for two fingers beside the handle."""
        grip = self.radius + 0.6 * self.reach
        side = 0.045  # where the open fingers come down
        return (
            Circle(x=0, y=0, radius=self.radius),
            Circle(x=grip, y=0, radius=0.6 * self.reach),
            Circle(x=grip, y=side, radius=0.015),
            Circle(x=grip, y=-side, radius=0.015),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MugSize:
    """Ranges of a mug's measures in metres: train, then held out.

    Attributes are as in `MugShape`.
    """

    height: tuple[Range, Range]
    radius: tuple[Range, Range]
    reach: tuple[Range, Range]
    thickness: tuple[Range, Range]


def sample_mug(factors: Factors, size: MugSize) -> MugShape:
    """Draws a mug whose handle is 72 % as high as its wall."""
    height = factors.uniform("shape", *size.height)
    return MugShape(
        radius=factors.uniform("shape", *size.radius),
        height=height,
        wall=0.005,
        reach=factors.uniform("shape", *size.reach),
        span=0.72 * height,
        thickness=factors.uniform("shape", *size.thickness),
    )


def add_mug(body: Any, shape: MugShape, colour: Colour) -> None:
    """Gives a body the parts `<name>/bottom`, `/wall`, `/rim` and `/handle`."""
    _add_bottom(body.add_body(name=f"{body.name}/bottom"), shape, colour)
    # The wall ends just above the table: the bottom alone carries a standing mug.
    lip = shape.height - RIM
    for part, low, high in (("wall", 0.002, lip), ("rim", lip, shape.height)):
        ring = body.add_body(name=f"{body.name}/{part}")
        add_ring(ring, shape.radius, shape.wall, low, high, colour)
    _add_handle(body.add_body(name=f"{body.name}/handle"), shape, colour)


def _add_bottom(part: Any, shape: MugShape, colour: Colour) -> None:
    add_shape(
        part,
        mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=(shape.radius - 0.5 * shape.wall, shape.wall / 2, 0),
        pos=(0, 0, shape.wall / 2),
        colour=colour,
    )


def _add_handle(part: Any, shape: MugShape, colour: Colour) -> None:
    half = shape.thickness / 2
    middle = 0.52 * shape.height
    start = shape.radius - shape.wall
    end = shape.radius + shape.reach
    bar = ((end - start) / 2, half, half)
    for side in (-1, 1):
        add_shape(
            part,
            mujoco.mjtGeom.mjGEOM_BOX,
            size=bar,
            pos=((start + end) / 2, 0, middle + side * (shape.span / 2 - half)),
            colour=colour,
        )
    add_shape(
        part,
        mujoco.mjtGeom.mjGEOM_BOX,
        size=(half, half, shape.span / 2),
        pos=(end - half, 0, middle),
        colour=colour,
    )
