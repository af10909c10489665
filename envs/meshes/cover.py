"""The Panda's own meshes over its primitive shapes, to look at and for nothing else.

They have no mass and touch nothing, and the rays of the executor's depth camera go
through them: what an answer comes to is the same under either look, bit for bit.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import mujoco

from envs.meshes.extra import need_assets
from envs.meshes.simplify import merge_vertices, read_stl, write_stl
from envs.randomization.factors import check_choice

PRIMITIVE, MESH = LOOKS = ("primitive", "mesh")
COVERED_ROBOT = "panda"
COVERED, COVER = 4, 5  # groups of the arm's shapes and of the meshes over them
FOLDER = "kitchen_franka/franka_assets/meshes/visual"
MERGED = 0.008  # m: 25,000 triangles instead of 130,000, which took 25 times as long
LINKS = {"arm/base": "link0", "arm/hand": "hand"} | {
    f"arm/link{i}": f"link{i}" for i in range(1, 8)
}
FINGERS = {"arm/left_finger": (1, 0, 0, 0), "arm/right_finger": (0, 0, 0, 1)}
LENGTHENED = 1.42  # our fingertips are 2 cm longer than the stock ones
WHITE, DARK = (0.92, 0.93, 0.92, 1), (0.23, 0.24, 0.26, 1)
PEDESTAL = (0.11, 0.1, 0.35)  # m, half sizes: from the floor to the table's height
_NAME = "arm/cover"


def check_look(look: str, robot: str) -> None:
    """Refuses looks that are unknown, another robot's, or not installed.

    Raises:
        ValueError: Names the valid ones, or the extra that is missing.
    """
    check_choice("look", look, LOOKS)
    if look == MESH:
        check_choice(f"robot with look={MESH}", robot, (COVERED_ROBOT,))
        need_assets(f"look={MESH}")


def cover_arm(spec: mujoco.MjSpec) -> None:
    """Hides the shapes of `envs.robot.panda` behind the maker's meshes.

    Raises:
        ValueError: The extra that brings the meshes is not installed.
    """
    folder = _simplify(need_assets(f"look={MESH}") / FOLDER)
    for geom in spec.geoms:
        if geom.parent.name.startswith("arm/"):
            geom.group = COVERED
    for body, mesh in LINKS.items():
        _add_mesh(spec, body, folder / f"{mesh}.stl", _name_colour(body))
    for body, turn in FINGERS.items():
        geom = _add_mesh(spec, body, folder / "finger.stl", DARK)
        geom.quat = turn
    _add_pedestal(spec.body("arm/base"))


def _name_colour(body: str) -> tuple[float, float, float, float]:
    return DARK if body == "arm/link7" else WHITE


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
    """
    out = Path(_keep_folder().name)
    for path in folder.glob("*.stl"):
        write_stl(out / path.name, merge_vertices(read_stl(path), MERGED))
    return out


@cache
def _keep_folder() -> tempfile.TemporaryDirectory[str]:
    """Lives, and is removed, with the process."""
    return tempfile.TemporaryDirectory(prefix="graspo-meshes-")


def _add_mesh(
    spec: mujoco.MjSpec, body: str, file: Path, colour: tuple[float, ...]
) -> Any:
    name = f"arm/{file.stem}"
    if spec.mesh(name) is None:
        length = LENGTHENED if file.stem == "finger" else 1
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


def _add_pedestal(base: Any) -> None:
    _add_visual(
        base,
        name=_NAME,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=PEDESTAL,
        pos=(-0.04, 0, -PEDESTAL[2]),
        rgba=DARK,
    )


def _add_visual(body: Any, **how: Any) -> Any:
    """A geom on a weightless body of its own.

    On the arm's body it would change in which order MuJoCo looks for contacts, and so
    the last bits of where things come to lie.
    """
    count = len(body.bodies)
    own = body.add_body(name=f"{body.name}/cover{count}")
    return own.add_geom(contype=0, conaffinity=0, mass=0, group=COVER, **how)
