"""What tools are used on: fixed to the table, each waiting for a part of a tool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.objects.primitives import add_can, add_give, add_paint, add_shape
from envs.objects.tool_parts import BOX, CYLINDER, WALL, add_wall
from envs.objects.tools import IRON, KINDS
from envs.randomization.colours import Colour
from envs.randomization.factors import Factors, Range
from envs.rotation import turn_about_z

TRAVEL = 0.018  # m that a nail or the middle of a stick gives way; it stays down
RIM = 0.012  # m, height of a tray: it passes under the handle of a spoon

# What a tool of a kind is used on, and the part by which it is then held. A mat waits
# for the handle: whoever hands a tool over leaves the handle to the other. All other
# targets wait for the part that works.
USES = {
    ("hammer", "nail"): "handle",  # to pound
    ("hammer", "mat"): "head",
    ("knife", "stick"): "handle",  # to cut
    ("knife", "mat"): "blade",
    ("saw", "stick"): "handle",
    ("saw", "mat"): "blade",
    ("spoon", "tray"): "handle",  # to scoop
    ("spoon", "mat"): "scoop",
    ("ladle", "tray"): "handle",
    ("ladle", "mat"): "scoop",
    ("turner", "disc"): "handle",  # to support
    ("turner", "mat"): "blade",
    ("pan", "disc"): "handle",  # to contain
    ("mug", "disc"): "handle",
    ("mug", "mat"): "wall",  # wrap-grasp
    ("bowl", "disc"): "wall",
}


def find_brought(kind: str, target: str) -> str:
    """The part of a kind of tool that is brought to a kind of target."""
    return "handle" if target == "mat" else KINDS[kind].work


def _add_nail(spec: Any, body: Any, radius: float, colour: Colour) -> None:
    """A nail with a wide head that goes into the table and stays where it is hit to."""
    _add_give(spec, body)
    add_can(body, 0.4 * radius, 0.014, IRON)
    top = (0, 0, 0.017)
    add_shape(body, CYLINDER, size=(radius, 0.004, 0), pos=top, colour=colour)


def _add_stick(spec: Any, body: Any, radius: float, colour: Colour) -> None:
    """A stick along the body's y axis; its middle gives way under a blade."""
    _add_give(spec, body)
    spec.add_exclude(bodyname1=body.name, bodyname2=f"{body.name}/ends")
    ends = spec.worldbody.add_body(
        name=f"{body.name}/ends", pos=body.pos, quat=body.quat
    )
    along = (np.sqrt(0.5), np.sqrt(0.5), 0, 0)
    bark = tuple(0.6 * np.array(colour))
    for part, y, half in (
        (body, 0, 0.022),
        (ends, 0.034, 0.012),
        (ends, -0.034, 0.012),
    ):
        add_shape(
            part,
            CYLINDER,
            size=(radius, half, 0),
            pos=(0, y, radius),
            colour=colour if part is body else bark,
            quat=along,
        )


def _add_tray(spec: Any, body: Any, radius: float, colour: Colour) -> None:
    """A painted floor and a low wall."""
    _add_disc(spec, body, radius - WALL, colour)
    ring = body.add_body(name=f"{body.name}/rim", pos=(0, 0, RIM))
    add_wall(ring, (radius, radius, RIM), colour)


def _add_disc(spec: Any, body: Any, radius: float, colour: Colour) -> None:
    """A round place that is painted on the table."""
    add_paint(body, radius, colour)


def _add_mat(spec: Any, body: Any, radius: float, colour: Colour) -> None:
    """A square place that is painted on the table; nothing collides with paint."""
    size = (0.9 * radius, 0.9 * radius, 0.0005)
    body.add_geom(type=BOX, size=size, rgba=(*colour, 1), contype=0, conaffinity=0)


def _add_give(spec: Any, body: Any) -> None:
    """Lets a body be pressed into the table."""
    add_give(body, TRAVEL)
    spec.add_exclude(bodyname1="world", bodyname2=body.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What all targets of a kind have in common.

    Attributes:
        radius: Ranges of it [m]: train, then held out.
        room: Radius of the place that it takes on the table [m].
        build: Gives a body its tool.
    """

    radius: tuple[Range, Range]
    room: float
    build: Callable[[Any, Any, float, Colour], None]


TARGETS = {
    "nail": Target(
        radius=((0.015, 0.018), (0.013, 0.015)), room=0.020, build=_add_nail
    ),
    "stick": Target(
        radius=((0.010, 0.011), (0.009, 0.010)), room=0.048, build=_add_stick
    ),
    "tray": Target(
        radius=((0.044, 0.050), (0.050, 0.054)), room=0.054, build=_add_tray
    ),
    "disc": Target(
        radius=((0.040, 0.048), (0.036, 0.040)), room=0.048, build=_add_disc
    ),
    "mat": Target(radius=((0.040, 0.048), (0.036, 0.040)), room=0.050, build=_add_mat),
}


def add_target(
    spec: Any,
    name: str,
    pose: tuple[float, float, float],
    factors: Factors,
    colour: Colour,
) -> None:
    """Adds a target to the table, where it stays.

    Args:
        spec: The scene.
        name: A kind of `TARGETS` and a number.
        pose: x, y [m] and turn [rad]; a stick lies across the turned x axis.
        factors: Draws the size.
        colour: The whole target's colour.
    """
    x, y, turn = pose
    body = spec.worldbody.add_body(name=name, pos=(x, y, 0), quat=turn_about_z(turn))
    target = TARGETS[name.rstrip("0123456789")]
    target.build(spec, body, factors.uniform("shape", *target.radius), colour)
