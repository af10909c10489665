"""Objects from ordinary MJCF files, with their meshes and textures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import mujoco

from envs.objects import COLLIDE_WITH, OBJECT_GROUP
from envs.rotation import turn_about_z

BELOW = 100.0  # m: how far below an object a plane lies from which it is measured
KEPT = 64  # objects whose files are not read again
UNNAMED = "add_mjcf's unnamed"  # by which a body is found again in a copy of its file


@dataclass(frozen=True, slots=True)
class Mjcf:
    """An object in an MJCF file.

    Attributes:
        path: The file; its meshes and textures are found as it says.
        body: The object's body, with all below it; "" for the file's first one.
        fixed: Whether it is fastened to the table; else it can be moved.
    """

    path: str | Path
    body: str = ""
    fixed: bool = False


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
    other objects; geoms that are only to look at stay so. Where the file puts the
    object does not matter, how it turns it does.

    Args:
        spec: The scene.
        source: The file, of which the first body is taken, or what to take of it.
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
        ValueError: MuJoCo cannot read it, it has no such body, or nothing of a body
            that is to move collides.
    """
    source = source if isinstance(source, Mjcf) else Mjcf(source)
    path = Path(source.path)
    if not path.is_file():
        raise FileNotFoundError(f"no MJCF file {path}")
    file, root, bottom = _read(source, path.stat().st_mtime_ns)
    height = -bottom if z is None else z
    file = file.copy()
    file.option = spec.option  # or MuJoCo warns of each that differs
    frame = spec.worldbody.add_frame(pos=(x, y, height), quat=turn_about_z(yaw))
    body = frame.attach_body(file.body(root), f"{name}/", "")
    body.name = name
    if not source.fixed and not body.joints:
        body.add_freejoint(name=name)
    return body


@lru_cache(KEPT)
def _read(source: Mjcf, changed: int) -> tuple[mujoco.MjSpec, str, float]:
    """A file with nothing but the object, its body, and its lowest point [m]."""
    file = mujoco.MjSpec.from_file(str(source.path))
    body = file.body(source.body) if source.body else file.worldbody.first_body()
    if body is None or body == file.worldbody:
        valid = ", ".join(b.name for b in file.bodies[1:] if b.name) or "none"
        raise ValueError(
            f"{source.path} has no body {source.body!r} below its worldbody; named "
            f"bodies: {valid}"
        )
    _cut_out(file, body)
    for joint in body.joints if source.fixed else ():
        if joint.type == mujoco.mjtJoint.mjJNT_FREE:
            file.delete(joint)
    if not _make_collide(body) and not source.fixed:
        raise ValueError(
            f"nothing of {source.path} collides, so it would fall through the table: "
            "give a geom contype and conaffinity 1, or take fixed=True"
        )
    for i, part in enumerate(body.find_all(mujoco.mjtObj.mjOBJ_BODY)):
        part.name = part.name or f"part{i + 1}"
    body.name = body.name or UNNAMED
    return file, body.name, _find_bottom(file.copy().body(body.name))


def _cut_out(file: mujoco.MjSpec, body: Any) -> None:
    """Leaves nothing but a body in a file, its origin at the world's."""
    plain = mujoco.MjSpec()
    for name in ("option", *filter(_is_size, dir(plain))):
        setattr(file, name, getattr(plain, name))
    for key in file.keys:
        file.delete(key)
    body.pos = (0, 0, 0)
    inner = body
    while (outer := inner.parent) is not None:
        for sibling in outer.bodies:
            if sibling != inner:
                file.delete(sibling)
        inner = outer
    geoms = file.geoms
    _delete_unused(file, file.meshes, {geom.meshname for geom in geoms})
    _delete_unused(file, file.materials, {geom.material for geom in geoms})
    textures = {name for material in file.materials for name in material.textures}
    _delete_unused(file, file.textures, textures)


def _is_size(name: str) -> bool:
    return name in ("njmax", "nconmax", "nemax") or name.startswith("nuser_")


def _delete_unused(file: mujoco.MjSpec, assets: Any, used: set[str]) -> None:
    for asset in assets:
        if asset.name not in used:
            file.delete(asset)


def _make_collide(body: Any) -> bool:
    """Gives colliding geoms the project's contact bits; whether there are any."""
    geoms = body.find_all(mujoco.mjtObj.mjOBJ_GEOM)
    colliding = [geom for geom in geoms if geom.contype or geom.conaffinity]
    for geom in colliding:
        geom.contype, geom.conaffinity = OBJECT_GROUP, COLLIDE_WITH
    return bool(colliding)


def _find_bottom(body: Any) -> float:
    """Height of the lowest point that collides, or else of the lowest one [m]."""
    stage = mujoco.MjSpec()
    stage.worldbody.add_frame().attach_body(body, "object/", "")
    kind = mujoco.mjtGeom.mjGEOM_PLANE
    stage.worldbody.add_geom(
        name="below", type=kind, size=(1, 1, 1), pos=(0, 0, -BELOW)
    )
    model = stage.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    plane = model.geom("below").id
    geoms = [geom for geom in range(model.ngeom) if geom != plane]
    chosen = [geom for geom in geoms if model.geom_contype[geom]] or geoms
    gaps = (
        mujoco.mj_geomDistance(model, data, plane, geom, 2 * BELOW, None)
        for geom in chosen
    )
    return min(gaps) - BELOW
