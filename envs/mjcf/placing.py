"""Puts an object of an MJCF file on the table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco

from envs.mjcf.reading import Mjcf, read
from envs.mjcf.references import rename_body
from envs.mjcf.scaling import scale
from envs.rotation import turn_about_z

QUATERNION = mujoco.mjtOrientation.mjORIENTATION_QUAT
COPIED = (
    *("type", "size", "pos", "fromto", "rgba", "material", "meshname", "hfieldname"),
    *("contype", "conaffinity", "condim", "group", "friction", "mass", "density"),
    *("typeinertia", "fitscale", "priority"),
    *("margin", "gap", "solref", "solimp", "solmix"),
)


def add_mjcf(
    spec: mujoco.MjSpec,
    source: str | Path | Mjcf,
    name: str,
    x: float,
    y: float,
    yaw: float,
    z: float | None = None,
) -> Any:
    """Adds an object of an MJCF file, standing on the table.

    Geoms that collide with anything in the file collide with the table, the gripper and
    other objects; geoms that are only to look at stay so. The body's own turn counts,
    not where the file puts it nor how what is around it is turned. Equalities, tendons
    and exclusions within the object come along; actuators, sensors, cameras and lights
    do not.

    Args:
        spec: The scene.
        source: The file, of which one body is taken, or what to take of it.
        name: The body's name in the scene; its parts become `<name>/<part>`, those
            without a name `<name>/part1` and so on.
        x: Where the body's origin goes along x [m].
        y: The same along y [m].
        yaw: Turn about z [rad].
        z: Height of the body's origin above the table [m]; None lets the lowest point
            that collides touch the table.

    Returns:
        The body.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: MuJoCo cannot read it, it asks for too much, it has no such body, or
            nothing of a body that is to move collides. One line names file and element.
    """
    source = source if isinstance(source, Mjcf) else Mjcf(source)
    if not Path(source.path).is_file():
        raise FileNotFoundError(f"no MJCF file {source.path}")
    found = read(replace(source, scale=1.0))
    height = -found.bottom * source.scale if z is None else z
    file = found.file.copy()
    scale(file, source)
    file.option = spec.option  # or MuJoCo warns of each that differs
    frame = spec.worldbody.add_frame(pos=(x, y, height), quat=turn_about_z(yaw))
    body = frame.attach_body(file.body(found.root), f"{name}/", "")
    rename_body(spec, body.name, name)
    body.name = name
    if not source.fixed and not body.joints:
        body.add_freejoint(name=name)
    return body


def split_part(spec: mujoco.MjSpec, body: Any, name: str, geoms: Iterable[Any]) -> Any:
    """Makes some of a body's geoms a part of their own, as `Goal.part` needs it.

    Args:
        spec: The scene.
        body: Of the scene.
        name: The part's, usually `<body>/<part>`.
        geoms: Of the body; they move into the part, which is welded to it.

    Returns:
        The part's body.
    """
    part = body.add_body(name=name)
    for geom in list(geoms):
        moved = part.add_geom(**{field: getattr(geom, field) for field in COPIED})
        moved.quat = _read_turn(geom)
        if geom.frame is not None:
            moved.set_frame(_copy_frame(geom.frame, part))
        called = geom.name
        spec.delete(geom)
        moved.name = called  # contact pairs ask for it
    return part


def _read_turn(element: Any) -> Any:
    """How an element is turned, in whatever way and unit its file says it."""
    if element.alt.type == QUATERNION:
        return element.quat
    how = element.compiler
    return mujoco.MjSpec.resolve_orientation(
        degree=how.degree, sequence=how.eulerseq, orientation=element.alt
    )


def _copy_frame(frame: Any, body: Any) -> Any:
    """A frame like that of a geom, and those around it, on another body."""
    copy = body.add_frame(pos=frame.pos, quat=_read_turn(frame))
    if frame.frame is not None:
        copy.set_frame(_copy_frame(frame.frame, body))
    return copy
