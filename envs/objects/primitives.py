"""Primitive shapes that objects are made of, with the project's contact settings.

A part is a body of its own, welded to the object's body, so that contacts and pixels
tell which part they belong to. Objects stand on the table, whose surface is z = 0.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from envs.randomization.colours import Colour
from envs.rotation import turn_about_z

OBJECT_GROUP = 1  # contype bit of objects; the gripper's is `GRIPPER_GROUP`
COLLIDE_WITH = 3  # objects and the table meet both objects and the gripper
WALLS = 12  # boxes in a ring
DENSITY = 600  # kg/m^3, between wood and ceramics: a mug of 100 to 200 g


def add_free_body(
    spec: mujoco.MjSpec, name: str, x: float, y: float, yaw: float, z: float = 0.0
) -> Any:
    """A movable body with its origin at the given pose."""
    body = spec.worldbody.add_body(name=name, pos=(x, y, z), quat=turn_about_z(yaw))
    body.add_freejoint(name=name)
    return body


def add_give(body: Any, travel: float) -> None:
    """Lets a body be pressed down so far [m]; friction holds it where it is."""
    body.gravcomp = 1  # the solver's friction is soft: it would creep down
    body.add_joint(
        name=body.name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(0, 0, 1),
        range=(-travel, 0),
        damping=2.0,
        frictionloss=1.5,
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
            quat=turn_about_z(angle),
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
