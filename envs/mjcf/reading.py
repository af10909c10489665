"""One object of an MJCF file, with nothing of the file's other contents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from math import inf
from pathlib import Path
from typing import Any

import mujoco

from envs.mjcf.bounds import check_image, check_size
from envs.mjcf.folders import locate
from envs.mjcf.references import cut_out
from envs.mjcf.survey import check_file
from envs.mjcf.textures import shrink_textures
from envs.objects import COLLIDE_WITH, OBJECT_GROUP

BELOW = 100.0  # m: how far below an object a plane lies from which it is measured
KEPT = 64  # objects whose files are not read again
UNNAMED = "add_mjcf's unnamed"  # by which a body is found again in a copy of its file
HIDDEN = 3  # the group of geoms that are not shown; some files have them in 4 or 5


@dataclass(frozen=True, slots=True)
class Mjcf:
    """An object in an MJCF file.

    Attributes:
        path: The file; its meshes and textures are found as it says.
        body: The object's body, with all below it; "" for the file's first that moves
            freely, or else its first, which one that is fixed always is.
        fixed: Whether it is fastened to the table; else it can be moved.
        scale: How many times as large as in the file it is.

    Raises:
        ValueError: A scale that is no positive number.
    """

    path: str | Path
    body: str = ""
    fixed: bool = False
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuses a size that nothing has."""
        if not 0 < self.scale < inf:
            raise ValueError(f"{self.path}: scale is {self.scale}; above 0")


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of an object, in its file's size.

    Attributes:
        file: With nothing but the object.
        root: Name of its body.
        bottom: Height of its lowest point [m].
        made_of: The files that it is from, with what tells each from another; None for
            one that is not there and would count.
    """

    file: mujoco.MjSpec
    root: str
    bottom: float
    made_of: dict[Path, tuple[int, ...] | None]


_kept: dict[Mjcf, Found] = {}  # by the whole path: another folder's `o.xml` is another


def read(source: Mjcf) -> Found:
    """Reads an object; one of whose files any has changed is read again.

    Args:
        source: The object; its scale does not count here.

    Raises:
        ValueError: It cannot be taken; one line names file and element.
    """
    # The folder of links stays as it is: meshes are looked for beside the link.
    source = replace(source, path=Path(source.path).absolute(), scale=1.0)
    kept = _kept.pop(source, None)
    if kept is None or kept.made_of != _identify(kept.made_of):
        kept = _read(source)
    _kept[source] = kept  # the last of them
    if len(_kept) > KEPT:
        del _kept[next(iter(_kept))]
    return kept


def _identify(files: Iterable[Path]) -> dict[Path, tuple[int, ...] | None]:
    return {file: _tell_apart(file) for file in files}


def _tell_apart(file: Path) -> tuple[int, ...] | None:
    """Which file it is, by where a link leads, how long it is and when it changed."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _read(source: Mjcf) -> Found:
    path = Path(source.path)
    made_of = _identify(check_file(path))
    with _naming(path):
        file = mujoco.MjSpec.from_file(str(path))
    _check_compiler(file, path)
    body = _find_body(file, source)
    cut_out(file, body)
    for joint in body.joints if source.fixed else ():
        if joint.type == mujoco.mjtJoint.mjJNT_FREE:
            file.delete(joint)
    _weigh_by_groups(file)
    if not _make_collide(body) and not source.fixed:
        raise ValueError(
            f"nothing of {source.path} collides, so it would fall through the table: "
            "give a geom contype and conaffinity 1, or take fixed=True"
        )
    _name_parts(body)
    _check_assets(file, path)
    _discard(file, path)
    shrink_textures(file, path)
    with _naming(path):
        bottom = _find_bottom(file.copy().body(body.name), source.fixed)
    return Found(file, body.name, bottom, made_of)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Says in one line of which file it is that MuJoCo complains."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error


def _check_compiler(file: mujoco.MjSpec, path: Path) -> None:
    """Refuses what is said of a whole file and is of no meaning for one object."""
    if (total := file.compiler.settotalmass) > 0:
        raise ValueError(
            f"{path}, <compiler settotalmass='{total:g}'>: the mass of a whole file is "
            "not divided; give each geom its mass or density"
        )


def _discard(file: mujoco.MjSpec, path: Path) -> None:
    """Leaves out what is only to look at, if the file says so.

    What it says with `fusestatic` is not done: bodies stay what a goal can name, and
    move as one all the same.
    """
    if file.compiler.discardvisual:
        with _naming(path):
            file.discard_visual()


def _find_body(file: mujoco.MjSpec, source: Mjcf) -> Any:
    body = file.body(source.body) if source.body else _find_first(file, source.fixed)
    if body is None or body == file.worldbody:
        named = ", ".join(b.name for b in file.bodies[1:] if b.name)
        raise ValueError(
            f"no body {source.body!r} in {source.path}; named bodies: {named or 'none'}"
        )
    return body


def _find_first(file: mujoco.MjSpec, fixed: bool) -> Any:
    """The first body that moves freely, or else the first: often a table or a wall."""
    free = (
        body
        for body in file.worldbody.bodies
        if not fixed
        and any(joint.type == mujoco.mjtJoint.mjJNT_FREE for joint in body.joints)
    )
    return next(free, file.worldbody.first_body())


def _name_parts(body: Any) -> None:
    """Gives a body and those below it names, where they have none."""
    parts = body.find_all(mujoco.mjtObj.mjOBJ_BODY)
    taken = {part.name for part in parts}
    for i, part in enumerate(parts):
        names = (f"part{number}" for number in count(i + 1))
        part.name = part.name or next(name for name in names if name not in taken)
        taken.add(part.name)
    body.name = body.name or UNNAMED


def _weigh_by_groups(file: mujoco.MjSpec) -> None:
    """Takes the mass off geoms that the file does not weigh, and hides the hidden."""
    low, high = file.compiler.inertiagrouprange
    for geom in file.geoms:
        if not low <= geom.group <= high:
            geom.mass = 0
        geom.group = min(geom.group, HIDDEN)
    file.compiler.inertiagrouprange = (0, mujoco.mjNGROUP - 1)


def _make_collide(body: Any) -> bool:
    """Gives colliding geoms the project's contact bits; whether there are any."""
    geoms = body.find_all(mujoco.mjtObj.mjOBJ_GEOM)
    colliding = [geom for geom in geoms if geom.contype or geom.conaffinity]
    for geom in colliding:
        geom.contype, geom.conaffinity = OBJECT_GROUP, COLLIDE_WITH
    return bool(colliding)


def _check_assets(file: mujoco.MjSpec, path: Path) -> None:
    for asset in [*file.meshes, *file.skins]:
        if asset.file:
            element = f"{type(asset).__name__[3:].lower()} {asset.name!r}"
            check_size(path, element, locate(file, path, file.meshdir, asset.file))
    for field in file.hfields:
        if field.file:
            picture = locate(file, path, file.meshdir, field.file)
            check_image(path, f"hfield {field.name!r}", picture)


def _find_bottom(body: Any, fixed: bool) -> float:
    """Height of the lowest point that collides, or else of the lowest one [m]."""
    stage = mujoco.MjSpec()
    attached = stage.worldbody.add_frame().attach_body(body, "object/", "")
    if not fixed and not attached.joints:
        attached.add_freejoint()  # so that MuJoCo weighs it as in the scene
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
    lowest = [_find_lowest(model, data, geom, plane) for geom in chosen]
    lowest += list(data.flexvert_xpos[:, 2] - model.flex_radius.max(initial=0))
    return float(min(lowest, default=0.0))


def _find_lowest(
    model: mujoco.MjModel, data: mujoco.MjData, geom: int, plane: int
) -> float:
    """Height of a geom's lowest point [m]; `plane` lies `BELOW` the origin."""
    if model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_HFIELD:
        gap = mujoco.mj_geomDistance(model, data, plane, geom, 2 * BELOW, None)
        return gap - BELOW
    # MuJoCo knows no distance to a height field, whose lower end is a box's.
    up = data.geom_xmat[geom].reshape(3, 3)[2]
    middle, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
    return float(data.geom_xpos[geom, 2] + up @ middle - abs(up) @ half)
