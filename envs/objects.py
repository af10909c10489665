"""Procedural objects of named primitive parts, shared by all scenes.

A part is a body of its own, welded to the object's body, so that contacts and pixels
tell which part they belong to. Objects stand on the table, whose surface is z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from envs.colours import Colour

OBJECT_GROUP = 1  # contype bit of objects; the gripper's is `arm.GRIPPER_GROUP`
COLLIDE_WITH = 3  # objects and the table meet both objects and the gripper
WALLS = 12  # boxes in a ring
RIM = 0.014  # m, height of the upper end of a mug's wall that counts as its rim
DENSITY = 600  # kg/m^3, between wood and ceramics: a mug of 100 to 200 g


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Part of an object's footprint, in its own frame [m]."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MugShape:
    """Size of a mug in metres; the handle points along its x axis.

    Attributes:
        radius: Outer radius of the wall.
        height: Of the rim above the table.
        wall: Thickness of the wall.
        reach: How far the handle stands out from the wall.
        span: Height of the handle.
        thickness: Of the handle's bars.
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


def add_free_body(
    spec: mujoco.MjSpec, name: str, x: float, y: float, yaw: float, z: float = 0.0
) -> Any:
    """A movable body with its origin at the given pose."""
    body = spec.worldbody.add_body(
        name=name, pos=(x, y, z), quat=(np.cos(yaw / 2), 0, 0, np.sin(yaw / 2))
    )
    body.add_freejoint(name=name)
    return body


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


def add_block(body: Any, size: tuple[float, float, float], colour: Colour) -> None:
    """A box of the given half sizes, standing on the body's origin."""
    add_shape(
        body, mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=(0, 0, size[2]), colour=colour
    )


def add_can(body: Any, radius: float, height: float, colour: Colour) -> None:
    """A full cylinder, standing on the body's origin."""
    add_shape(
        body,
        mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=(radius, height / 2, 0),
        pos=(0, 0, height / 2),
        colour=colour,
    )


def add_ring(
    body: Any,
    radius: float,
    wall: float,
    low: float,
    high: float,
    colour: Colour,
) -> None:
    """An upright ring of boxes, of an outer radius and thickness, between heights."""
    half_width = radius * np.tan(np.pi / WALLS)
    for angle in np.arange(WALLS) * 2 * np.pi / WALLS:
        middle = radius - wall / 2
        add_shape(
            body,
            mujoco.mjtGeom.mjGEOM_BOX,
            size=(wall / 2, half_width, (high - low) / 2),
            pos=(middle * np.cos(angle), middle * np.sin(angle), (high + low) / 2),
            quat=(np.cos(angle / 2), 0, 0, np.sin(angle / 2)),
            colour=colour,
        )


def add_bowl(body: Any, radius: float, height: float, colour: Colour) -> None:
    """A bowl: a bottom and a ring of boxes that lean outwards."""
    lean = 0.45  # rad from the vertical
    add_can(body, 0.55 * radius, 0.006, colour)
    half_width = radius * np.tan(np.pi / WALLS)
    for angle in np.arange(WALLS) * 2 * np.pi / WALLS:
        add_shape(
            body,
            mujoco.mjtGeom.mjGEOM_BOX,
            size=(0.003, half_width, 0.55 * height),
            pos=(
                0.78 * radius * np.cos(angle),
                0.78 * radius * np.sin(angle),
                0.5 * height + 0.004,
            ),
            quat=_lean(angle, lean),
            colour=colour,
        )


def add_paint(body: Any, radius: float, colour: Colour) -> None:
    """A disc painted on the table; nothing collides with paint."""
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=(radius, 0.0005, 0),
        pos=(0, 0, 0.0005),
        rgba=(*colour, 1),
        contype=0,
        conaffinity=0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScraperShape:
    """Size of a scraper in metres; it pushes along its x axis.

    Attributes:
        width: Of the blade.
        depth: Of the wings that keep what is pushed in front of the blade.
        height: Of the handle's top.
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


def _lean(angle: float, lean: float) -> tuple[float, float, float, float]:
    """Rotation about z by `angle` after one about y by `lean` (wxyz)."""
    c, s = np.cos(angle / 2), np.sin(angle / 2)
    a, b = np.cos(lean / 2), np.sin(lean / 2)
    return (c * a, -s * b, c * b, s * a)


def add_shape(
    body: Any,
    kind: Any,
    *,
    size: tuple[float, float, float],
    pos: tuple[float, float, float],
    colour: Colour,
    quat: tuple[float, float, float, float] = (1, 0, 0, 0),
) -> None:
    """One geom of an object, with the project's contact and material settings."""
    body.add_geom(
        type=kind,
        size=size,
        pos=pos,
        quat=quat,
        rgba=(*colour, 1),
        density=DENSITY,
        friction=(0.8, 0.01, 0.0005),
        contype=OBJECT_GROUP,
        conaffinity=COLLIDE_WITH,
    )
