"""A robot's own meshes over its primitive shapes, to look at and for nothing else.

They have no mass and touch nothing, and the rays of the executor's depth camera go
through them: what an answer comes to is the same under either look, bit for bit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import mujoco

from envs.meshes.extra import need_assets
from envs.meshes.simplify import merge_vertices, read_stl, write_stl
from envs.rotation import Quaternion

PRIMITIVE, MESH = LOOKS = ("primitive", "mesh")
COVERED, COVER = 4, 5  # groups of the arm's shapes and of the meshes over them
MERGED = 0.008  # m: 25,000 triangles instead of 130,000, which took 25 times as long
WHITE, DARK = (0.92, 0.93, 0.92, 1), (0.23, 0.24, 0.26, 1)
_NAME = "arm/cover"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmMeshes:
    """Which meshes a robot wears; those of its maker, in an extra.

    Attributes:
        folder: Of the extra, with the STL files.
        links: Body of the arm to the name of its file.
        dark: Those of the bodies that are dark.
        fingers: Body of a finger to the turn of the file `finger` on it.
        lengthened: How many times as long as in the file the fingers are.
        pedestal: Half sizes of what the arm stands on, from the floor to the table's
            height [m].
        behind: How far the pedestal's middle is behind the base's [m].
    """

    folder: str
    links: Mapping[str, str]
    dark: Collection[str]
    fingers: Mapping[str, Quaternion]
    lengthened: float
    pedestal: tuple[float, float, float]
    behind: float


def cover_arm(spec: mujoco.MjSpec, meshes: ArmMeshes) -> None:
    """Hides an arm's shapes behind meshes.

    Raises:
        ValueError: The extra that brings the meshes is not installed.
    """
    folder = _simplify(need_assets(f"look={MESH}") / meshes.folder)
    for geom in spec.geoms:
        if geom.parent.name.startswith("arm/"):
            geom.group = COVERED
    for body, mesh in meshes.links.items():
        colour = DARK if body in meshes.dark else WHITE
        _add_mesh(spec, body, folder / f"{mesh}.stl", colour)
    for body, turn in meshes.fingers.items():
        file = folder / "finger.stl"
        geom = _add_mesh(spec, body, file, DARK, meshes.lengthened)
        geom.quat = turn
    _add_visual(
        spec.body("arm/base"),
        name=_NAME,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=meshes.pedestal,
        pos=(-meshes.behind, 0, -meshes.pedestal[2]),
        rgba=DARK,
    )


def is_covered(model: mujoco.MjModel) -> bool:
    """Whether a model's arm wears meshes."""
    return mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, _NAME) >= 0


def show_cover(model: mujoco.MjModel, option: mujoco.MjvOption) -> None:
    """Lets pictures of a model show meshes where there are any."""
    if is_covered(model):
        option.geomgroup[COVERED], option.geomgroup[COVER] = 0, 1


def bring_forward(model: mujoco.MjModel) -> None:
    """Puts the meshes into a group that every viewer shows; for copies of a model."""
    if is_covered(model):
        model.geom_group[model.geom_group == COVER] = 2


@cache
def _simplify(folder: Path) -> Path:
    """A folder of this process with the same meshes in fewer triangles.

    Of files, unlike of arrays, MuJoCo keeps what it has compiled: 2 ms instead of 40.
    Each robot's are apart, as files of several may have one name.
    """
    out = Path(tempfile.mkdtemp(dir=_keep_folder().name))
    for path in folder.glob("*.stl"):
        write_stl(out / path.name, merge_vertices(read_stl(path), MERGED))
    return out


@cache
def _keep_folder() -> tempfile.TemporaryDirectory[str]:
    """Lives, and is removed, with the process."""
    return tempfile.TemporaryDirectory(prefix="graspo-meshes-")


def _add_mesh(
    spec: mujoco.MjSpec,
    body: str,
    file: Path,
    colour: tuple[float, ...],
    length: float = 1,
) -> Any:
    name = f"arm/{file.stem}"
    if spec.mesh(name) is None:
        spec.add_mesh(
            name=name,
            file=str(file),
            scale=(1, 1, length),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
    return _add_visual(
        spec.body(body),
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=name,
        rgba=colour,
    )


def _add_visual(body: Any, **how: Any) -> Any:
    """A geom on a weightless body of its own.

    On the arm's body it would change in which order MuJoCo looks for contacts, and so
    the last bits of where things come to lie.
    """
    count = len(body.bodies)
    own = body.add_body(name=f"{body.name}/cover{count}")
    return own.add_geom(contype=0, conaffinity=0, mass=0, group=COVER, **how)
