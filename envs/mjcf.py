"""Objects from ordinary MJCF files, with their meshes and textures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco

from envs.objects import COLLIDE_WITH, OBJECT_GROUP
from envs.rotation import turn_about_z


def add_mjcf(
    spec: mujoco.MjSpec,
    path: str | Path,
    name: str,
    x: float,
    y: float,
    yaw: float,
    fixed: bool = False,
) -> Any:
    """Adds the first body of an MJCF file, with all below it.

    Geoms that collide with anything in the file collide with the table, the gripper and
    other objects; geoms that are only to look at stay so.

    Args:
        spec: The scene.
        path: The file; its meshes and textures are found as it says.
        name: The body's name in the scene; its parts become `<name>/<part>`.
        x: Where the file's origin goes along x [m].
        y: The same along y [m]; heights are those of the file.
        yaw: Turn about z [rad].
        fixed: Whether it is fastened to the table; else it can be moved.

    Returns:
        The body.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: MuJoCo cannot read it, or it has no body.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no MJCF file {path}")
    child = mujoco.MjSpec.from_file(str(path))
    root = child.worldbody.first_body()
    if root is None:
        raise ValueError(f"{path} has no body below its worldbody")
    _make_collide(child)
    frame = spec.worldbody.add_frame(pos=(x, y, 0), quat=turn_about_z(yaw))
    body = frame.attach_body(root, f"{name}/", "")
    body.name = name
    if not fixed and not body.joints:
        body.add_freejoint(name=name)
    return body


def _make_collide(spec: mujoco.MjSpec) -> None:
    for geom in spec.geoms:
        if geom.contype or geom.conaffinity:
            geom.contype, geom.conaffinity = OBJECT_GROUP, COLLIDE_WITH
