"""What procedural tools are put together from: bars, cups and walls of simple shapes.

Each part's own origin is the middle of its upper side. Thin walls are rings of boxes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import mujoco
import numpy as np

from envs.objects.primitives import add_shape
from envs.randomization.colours import Colour
from envs.rotation import turn_about_z

Vector = tuple[float, float, float]

BOX = mujoco.mjtGeom.mjGEOM_BOX
CYLINDER = mujoco.mjtGeom.mjGEOM_CYLINDER
SIDES = 12  # boxes in the ring of a wall
WALL = 0.004  # m, its thickness
FULL = 0.009  # m from a cup's rim to the lower side of its filling
LOW = 0.015  # m below which a handle lies on the table


def add_part(body: Any, name: str, x: float, top: float) -> Any:
    """A part's body, its origin in the middle of its upper side."""
    return body.add_body(name=f"{body.name}/{name}", pos=(x, 0, top))


def add_box(
    part: Any, low: Vector, high: Vector, colour: Colour, quat: tuple = (1, 0, 0, 0)
) -> None:
    """A box between two corners, in the tool's frame."""
    corners = np.array((low, high))
    middle = corners.mean(axis=0) - part.pos
    half = (corners[1] - corners[0]) / 2
    add_shape(part, BOX, size=tuple(half), pos=tuple(middle), colour=colour, quat=quat)


def add_handle(
    body: Any,
    length: float,
    width: float,
    colour: Colour,
    low: float = 0.0,
    high: float = 0.018,
) -> None:
    """A bar; if it is off the table, a foot at its end carries it."""
    end, half = -length, width / 2
    part = add_part(body, "handle", end / 2, high)
    add_box(part, (end, -half, low), (0.003, half, high), colour)
    if low > LOW:
        add_box(part, (end - 0.006, -half, 0), (end + 0.006, half, high), colour)


def add_cup(
    part: Any, size: Vector, colour: Colour, filling: Colour | None = None
) -> None:
    """An oval cup below the part's origin: half axes and height [m].

    A filling reaches almost to the rim, so that the middle of the cup is its surface.
    """
    height = size[2]
    floors = {height: colour} | ({FULL: filling} if filling else {})
    for depth, tint in floors.items():
        plate = (size[1] - WALL / 2, 0.002, 0)
        at = (0, 0, 0.002 - depth)
        add_shape(part, CYLINDER, size=plate, pos=at, colour=tint)
    add_wall(part, size, colour)


def add_wall(part: Any, size: Vector, colour: Colour) -> None:
    """A wall that ends just above the table: the floor alone carries."""
    x, y, height = size[0] - WALL / 2, size[1] - WALL / 2, size[2] - 0.001
    angle = np.linspace(0, 2 * np.pi, SIDES + 1)
    corner = np.stack([x * np.cos(angle), y * np.sin(angle)], axis=1)
    for a, b in pairwise(corner):
        half_length = 0.55 * float(np.hypot(*(b - a)))  # they meet on the outside
        turn = np.arctan2(a[0] - b[0], b[1] - a[1])
        add_shape(
            part,
            BOX,
            size=(WALL / 2, half_length, height / 2),
            pos=(*(a + b) / 2, -height / 2),
            colour=colour,
            quat=turn_about_z(turn),
        )
