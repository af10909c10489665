"""What is fixed to the table: cabinets with drawers or doors, a stand with a peg."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from envs.objects.primitives import add_can, add_shape
from envs.randomization.colours import Colour
from envs.rotation import turn_about_z

PANEL = 0.006  # m, thickness of boards
GAP = 0.002  # m between moving boards
DOOR_GRIP = 0.062  # m, length of a door's handle: fingers fit between its posts
PEG = 0.005  # m, radius of a peg to hang things on
UPWARD = np.deg2rad(8)  # a peg's slope: what hangs on it does not slide off
STROKE = 0.12  # m that a drawer can be pulled out


@dataclass(frozen=True, slots=True, kw_only=True)
class CabinetShape:
    """Size of a cabinet in metres; its drawers stand side by side.

    Attributes:
        drawers: How many.
        width: Width of one drawer.
        depth: The cabinet's depth, away from the camera.
        height: The cabinet's height.
        reach: How far a handle's bar stands out from the front.
        bar: Thickness of a handle's bar.
        grip: Length of a handle's bar.
    """

    drawers: int
    width: float
    depth: float
    height: float
    reach: float
    bar: float
    grip: float


def add_cabinet(
    spec: mujoco.MjSpec,
    shape: CabinetShape,
    x: float,
    y: float,
    colour: Colour,
    fronts: list[Colour],
    opened: list[float],
) -> None:
    """Adds the body `cabinet` and drawers `drawer<i>` with parts `<drawer>/handle`.

    Args:
        spec: The scene.
        shape: Sizes.
        x: Where the closed fronts are along x [m].
        y: Where the cabinet's middle is along y [m].
        colour: The boards' colour.
        fronts: The colours of the drawers' fronts, from left to right in the image.
        opened: How far each drawer is pulled out [m].
    """
    cabinet = spec.worldbody.add_body(name="cabinet", pos=(x, y, 0))
    _add_boards(cabinet, shape, colour)
    for i, (front, out) in enumerate(zip(fronts, opened, strict=True)):
        middle = (i - (shape.drawers - 1) / 2) * (shape.width + PANEL)
        drawer = cabinet.add_body(name=f"drawer{i}", pos=(out, middle, 0))
        drawer.add_joint(
            name=f"drawer{i}",
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(1, 0, 0),
            range=(-out, STROKE - out),
            damping=3.0,
            frictionloss=0.8,
        )
        _add_tray(drawer, shape, front)
        handle = drawer.add_body(name=f"drawer{i}/handle")
        _add_bar(handle, shape.grip, shape.reach, shape.bar, 0.62 * shape.height)


def _add_box(
    body: object,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    colour: Colour,
) -> None:
    """A board between two corners."""
    (x1, y1, z1), (x2, y2, z2) = low, high
    add_shape(
        body,
        mujoco.mjtGeom.mjGEOM_BOX,
        size=((x2 - x1) / 2, (y2 - y1) / 2, (z2 - z1) / 2),
        pos=((x1 + x2) / 2, (y1 + y2) / 2, (z1 + z2) / 2),
        colour=colour,
    )


def _add_boards(body: object, shape: CabinetShape, colour: Colour) -> None:
    half = shape.drawers * (shape.width + PANEL) / 2 + PANEL / 2
    deep, high = -shape.depth, shape.height
    _add_box(body, (deep, -half, high - PANEL), (0, half, high), colour)
    _add_box(body, (deep, -half, 0), (deep + PANEL, half, high - PANEL), colour)
    for i in range(shape.drawers + 1):
        left = -half + i * (shape.width + PANEL)
        _add_box(body, (deep, left, 0), (0, left + PANEL, high - PANEL), colour)


def _add_tray(body: object, shape: CabinetShape, colour: Colour) -> None:
    half = shape.width / 2 - GAP
    deep, top = -shape.depth + PANEL + GAP, shape.height - PANEL - GAP
    _add_box(body, (-PANEL, -half, 0.004), (0, half, top), colour)
    _add_box(body, (deep, -half, 0.004), (-PANEL, half, 0.004 + PANEL), colour)
    wood = (0.55, 0.45, 0.33)
    for side in (-1, 1):
        inner, outer = sorted((side * half, side * (half - PANEL)))
        _add_box(body, (deep, inner, 0.01), (-PANEL, outer, 0.7 * top), wood)


def _add_bar(
    body: object, length: float, reach: float, bar: float, low: float, y: float = 0.0
) -> None:
    """A handle: a level bar on two posts that stand out along x from y."""
    metal = (0.30, 0.31, 0.34)
    half, high = length / 2, low + bar
    _add_box(body, (reach - bar, y - half, low), (reach, y + half, high), metal)
    for side in (-1, 1):
        inner, outer = sorted((y + side * half, y + side * (half - bar)))
        _add_box(body, (0, inner, low), (reach - bar, outer, high), metal)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorShape:
    """Size of a cabinet with two doors in metres.

    Attributes:
        width: Width of one door.
        depth: The cabinet's depth, away from the camera.
        height: The cabinet's height.
        reach: How far a handle's bar stands out from the door.
        bar: Thickness of a handle's bar.
    """

    width: float
    depth: float
    height: float
    reach: float
    bar: float


def add_door_cabinet(
    spec: mujoco.MjSpec,
    shape: DoorShape,
    x: float,
    y: float,
    colour: Colour,
    fronts: list[Colour],
) -> None:
    """Adds the body `cabinet` and doors `door0` (left) and `door1` with handles.

    The doors are hinged at the cabinet's sides, their handles are near the middle.

    Args:
        spec: The scene.
        shape: Sizes.
        x: Where the closed fronts are along x [m].
        y: Where the cabinet's middle is along y [m].
        colour: The boards' colour.
        fronts: The colours of the left and of the right door.
    """
    cabinet = spec.worldbody.add_body(name="cabinet", pos=(x, y, 0))
    half, deep, high = shape.width + PANEL, -shape.depth, shape.height
    _add_box(cabinet, (deep, -half, high - PANEL), (-PANEL, half, high), colour)
    _add_box(cabinet, (deep, -half, 0), (deep + PANEL, half, high - PANEL), colour)
    for i, (side, front) in enumerate(zip((-1, 1), fronts, strict=True)):
        inner, outer = sorted((side * half, side * (half - PANEL)))
        _add_box(cabinet, (deep, inner, 0), (-PANEL, outer, high - PANEL), colour)
        door = cabinet.add_body(name=f"door{i}", pos=(0, side * half, 0))
        door.add_joint(
            name=f"door{i}",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=(0, 0, side),
            range=(0, 1.6),
            damping=0.05,
            frictionloss=0.02,
        )
        end = -side * (half - GAP)
        low, top = sorted((0.0, end))
        _add_box(door, (-PANEL, low, 0.004), (0, top, high - GAP), front)
        spec.add_exclude(bodyname1=cabinet.name, bodyname2=door.name)
        handle, low = door.add_body(name=f"door{i}/handle"), 0.62 * shape.height
        _add_bar(handle, DOOR_GRIP, shape.reach, shape.bar, low, 0.68 * end)


def add_stand(
    spec: mujoco.MjSpec,
    spot: tuple[float, float],
    toward: float,
    height: float,
    out: float,
    length: float,
    colour: Colour,
) -> None:
    """Adds the body `stand`: a foot and a post, and on it the body `peg`.

    The peg's frame has its x axis along the peg; its origin is where a mug hangs.

    Args:
        spec: The scene.
        spot: x and y of the post [m].
        toward: Direction about z that the peg points to [rad].
        height: Height of the peg's origin [m].
        out: Distance from the post to the peg's origin [m].
        length: The peg's length [m].
        colour: The colour of all parts.
    """
    turn = turn_about_z(toward)
    stand = spec.worldbody.add_body(name="stand", pos=(*spot, 0), quat=turn)
    cylinder = mujoco.mjtGeom.mjGEOM_CYLINDER
    add_can(stand, 0.045, 0.008, colour)
    half = (height + 0.03) / 2
    add_shape(stand, cylinder, size=(0.009, half, 0), pos=(0, 0, half), colour=colour)
    tilt = -UPWARD / 2
    pose = (np.cos(tilt), 0, np.sin(tilt), 0)
    peg = stand.add_body(name="peg", pos=(out, 0, height), quat=pose)
    add_shape(
        peg,
        mujoco.mjtGeom.mjGEOM_CAPSULE,
        size=(PEG, length / 2, 0),
        pos=(length / 2 - out, 0, 0),
        quat=(np.sqrt(0.5), 0, np.sqrt(0.5), 0),
        colour=colour,
    )
    # Stiff, or a mug that falls onto so thin a peg sinks through it.
    peg.geoms[0].solref = (2 * spec.option.timestep, 1)
    peg.geoms[0].priority = 1
    # Rolling friction, or what hangs on it rocks for seconds.
    peg.geoms[0].condim = 6
    peg.geoms[0].friction = (0.8, 0.01, 0.01)
