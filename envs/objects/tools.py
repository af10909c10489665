"""Procedural tools of named parts.

A tool's frame has its origin where the handle meets the working part: the handle lies
along -x, the working part along +x, and z = 0 is the table. Each part's own origin is
the middle of its upper side. Blades and handles are thick, so that they can be seen and
held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.objects.placement import Circle
from envs.objects.primitives import add_free_body, add_shape
from envs.objects.tool_parts import (
    CYLINDER,
    WALL,
    add_box,
    add_cup,
    add_handle,
    add_part,
)
from envs.randomization.colours import Colour
from envs.randomization.factors import Factors

STEEL: Colour = (0.66, 0.68, 0.72)
IRON: Colour = (0.20, 0.21, 0.23)
COFFEE: Colour = (0.24, 0.13, 0.07)
SAUCE: Colour = (0.80, 0.52, 0.20)
TEETH = 6  # of a saw


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What all tools of a kind have in common.

    Attributes:
        work: Name of the working part.
        length: The handle's length [m].
        reach: Distance from the handle's end to the middle of the working part [m].
        room: Radius around that middle, for the part and two fingers beside it [m].
        build: Adds the parts to a body.
    """

    work: str
    length: float
    reach: float
    room: float
    build: Callable[[Any, Tool, Colour], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool and its turn.

    Attributes:
        kind: One of `KINDS`.
        stretch: The handle's length, relative to others of the kind.
        width: The handle's width [m].
        scale: The working part's size, relative to others of the kind.
        yaw: Angle from the world's x axis to the tool's [rad].
    """

    kind: str
    stretch: float
    width: float
    scale: float
    yaw: float

    @property
    def length(self) -> float:
        """Of the handle [m]."""
        return self.stretch * KINDS[self.kind].length

    @property
    def reach(self) -> float:
        """From the handle's end to the middle of the working part [m]."""
        return self.scale * KINDS[self.kind].reach

    @property
    def axis(self) -> NDArray[np.float64]:
        """[2] direction from the handle to the working part, in the world."""
        return np.array((np.cos(self.yaw), np.sin(self.yaw)))

    def along(self, part: str) -> float:
        """Where a part's middle is along the axis [m]."""
        return -self.length / 2 if part == "handle" else self.reach

    def footprint(self, origin: float = 0.0) -> tuple[Circle, ...]:
        """The turned tool, with room for the hand, around a place along its axis."""
        half = max(self.length / 2, 0.038)  # half a handle, two fingers, clearance
        radii = {"handle": half if self.length else 0.0, "": KINDS[self.kind].room}
        spots = {part: (self.along(part) - origin) * self.axis for part in radii}
        return tuple(
            Circle(x=spots[part][0], y=spots[part][1], radius=radius)
            for part, radius in radii.items()
            if radius > 0
        )


def sample_tool(factors: Factors, kind: str, yaw: float) -> Tool:
    """Draws the sizes of a tool of a kind."""
    return Tool(
        kind=kind,
        stretch=factors.uniform("shape", (0.92, 1.10), (0.85, 0.92)),
        width=factors.uniform("shape", (0.022, 0.026), (0.026, 0.029)),
        scale=factors.uniform("shape", (0.94, 1.00), (0.88, 0.94)),
        yaw=yaw,
    )


def add_tool(
    spec: Any, name: str, tool: Tool, spot: tuple[float, float], colour: Colour
) -> None:
    """Adds a movable tool with a part that works and, of most kinds, `<name>/handle`.

    Args:
        spec: The scene.
        name: The name of its body.
        tool: What it is.
        spot: Where its origin is on the table [m].
        colour: The colour of what is not metal.
    """
    body = add_free_body(spec, name, *spot, tool.yaw)
    KINDS[tool.kind].build(body, tool, colour)


def _add_hammer(body: Any, tool: Tool, colour: Colour) -> None:
    """A head across the end of the handle, its face wider than its peen."""
    add_handle(body, tool.length, tool.width, colour)
    s, x = tool.scale, tool.reach
    head = add_part(body, "head", x, 0.034)
    add_box(head, (0, -0.040 * s, 0.002), (2 * x, 0.040 * s, 0.032), IRON)
    add_box(head, (-0.002, 0.026 * s, 0), (2 * x + 0.002, 0.044 * s, 0.034), IRON)


def _add_knife(body: Any, tool: Tool, colour: Colour) -> None:
    """A blade that stands on its edge; its back slopes down to the tip."""
    add_handle(body, tool.length, tool.width, colour)
    x = tool.reach
    blade = add_part(body, "blade", x, 0.030)
    add_box(blade, (0, -0.006, 0), (1.25 * x, 0.006, 0.030), STEEL)
    add_box(blade, (1.2 * x, -0.006, 0), (1.78 * x, 0.006, 0.014), STEEL)
    slope = 0.48  # rad
    back = (np.cos(slope / 2), 0, np.sin(slope / 2), 0)
    add_box(blade, (1.1 * x, -0.006, 0.010), (2.1 * x, 0.006, 0.023), STEEL, back)


def _add_saw(body: Any, tool: Tool, colour: Colour) -> None:
    """A blade that stands on its teeth, and a high grip with a hole painted on."""
    add_handle(body, tool.length, tool.width, colour, high=0.040)
    handle, n = body.bodies[0], tool.length
    half = tool.width / 2 + 0.001
    add_box(handle, (-0.7 * n, -half, 0.014), (-0.25 * n, half, 0.026), IRON)
    x = tool.reach
    blade = add_part(body, "blade", x, 0.036)
    add_box(blade, (0, -0.006, 0.007), (2 * x, 0.006, 0.036), STEEL)
    turn = (np.cos(np.pi / 8), 0, np.sin(np.pi / 8), 0)
    for i in range(TEETH):
        at = (2 * i + 1) * x / TEETH
        low, high = (at - 0.005, -0.006, 0.002), (at + 0.005, 0.006, 0.012)
        add_box(blade, low, high, STEEL, turn)


def _add_spoon(body: Any, tool: Tool, colour: Colour) -> None:
    add_handle(body, tool.length, tool.width, colour, low=0.017, high=0.031)
    size = (tool.reach, 0.8 * tool.reach, 0.024)
    add_cup(add_part(body, "scoop", tool.reach, 0.024), size, STEEL, IRON)


def _add_ladle(body: Any, tool: Tool, colour: Colour) -> None:
    add_handle(body, tool.length, tool.width, colour, low=0.030, high=0.044)
    size = (tool.reach, 0.86 * tool.reach, 0.046)
    add_cup(add_part(body, "scoop", tool.reach, 0.046), size, STEEL, IRON)


def _add_turner(body: Any, tool: Tool, colour: Colour) -> None:
    """A flat blade with slots painted on."""
    add_handle(body, tool.length, tool.width, colour)
    x, half = tool.reach, 0.58 * tool.reach
    blade = add_part(body, "blade", x, 0.017)
    add_box(blade, (0, -half, 0), (2 * x, half, 0.017), STEEL)
    for side in (-1, 0, 1):
        y = 0.55 * side * half
        low, high = (0.5 * x, y - 0.003, 0.010), (1.7 * x, y + 0.003, 0.0175)
        add_box(blade, low, high, IRON)


def _add_pan(body: Any, tool: Tool, colour: Colour) -> None:
    add_handle(body, tool.length, tool.width, colour, low=0.012, high=0.025)
    size = (tool.reach, tool.reach, 0.026)
    add_cup(add_part(body, "basin", tool.reach, 0.026), size, IRON)


def _add_mug(body: Any, tool: Tool, colour: Colour) -> None:
    """Slim, so that the open hand goes around it; a little wider along the handle."""
    x, n, half = tool.reach, tool.length, tool.width / 4
    wall = add_part(body, "wall", x, 0.060)
    add_cup(wall, (x, 0.86 * x, 0.060), colour, COFFEE)
    handle = add_part(body, "handle", -n / 2, 0.046)
    for low in (0.010, 0.046 - 2 * half):
        add_box(handle, (-n, -half, low), (0.004, half, low + 2 * half), colour)
    add_box(handle, (-n, -half, 0.012), (2 * half - n, half, 0.044), colour)


def _add_bowl(body: Any, tool: Tool, colour: Colour) -> None:
    """Round below and upright at the rim, on a foot."""
    x = tool.reach
    wall = add_part(body, "wall", x, 0.036)
    add_cup(wall, (x, 0.94 * x, 0.022), colour, SAUCE)
    round_below = (x - WALL / 2, 0.94 * x - WALL / 2, 0.014)
    ellipsoid = mujoco.mjtGeom.mjGEOM_ELLIPSOID
    add_shape(wall, ellipsoid, size=round_below, pos=(0, 0, -0.021), colour=colour)
    add_shape(
        wall, CYLINDER, size=(0.6 * x, 0.004, 0), pos=(0, 0, -0.032), colour=colour
    )


KINDS = {
    "hammer": Kind(
        work="head", length=0.095, reach=0.016, room=0.048, build=_add_hammer
    ),
    "knife": Kind(
        work="blade", length=0.080, reach=0.042, room=0.046, build=_add_knife
    ),
    "saw": Kind(work="blade", length=0.060, reach=0.050, room=0.052, build=_add_saw),
    "spoon": Kind(
        work="scoop", length=0.100, reach=0.027, room=0.046, build=_add_spoon
    ),
    "ladle": Kind(
        work="scoop", length=0.110, reach=0.028, room=0.048, build=_add_ladle
    ),
    "turner": Kind(
        work="blade", length=0.095, reach=0.038, room=0.046, build=_add_turner
    ),
    "pan": Kind(work="basin", length=0.085, reach=0.042, room=0.046, build=_add_pan),
    "mug": Kind(work="wall", length=0.044, reach=0.028, room=0.048, build=_add_mug),
    "bowl": Kind(work="wall", length=0.0, reach=0.027, room=0.048, build=_add_bowl),
}
