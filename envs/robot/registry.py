"""Names of robots, and which one a model holds."""

from __future__ import annotations

import mujoco

from envs.meshes.cover import LOOKS, MESH, PRIMITIVE, cover_arm
from envs.meshes.extra import need_assets
from envs.randomization.factors import check_choice
from envs.robot.robot import Robot

DEFAULT = "panda"
MARK = "robot"  # the custom text of a model that names its robot
_robots: dict[str, Robot] = {}


def register_robot(robot: Robot) -> Robot:
    """Makes a robot known by its name; `robot=<name>` then means it.

    Raises:
        ValueError: Another one has the name.
    """
    if _robots.setdefault(robot.name, robot) is not robot:
        raise ValueError(f"robot {robot.name!r} is already registered")
    return robot


def list_robots() -> tuple[str, ...]:
    """All registered names, sorted."""
    return tuple(sorted(_robots))


def get_robot(name: str) -> Robot:
    """The robot registered under a name; an unknown name lists the valid ones."""
    if name not in _robots:
        valid = ", ".join(list_robots())
        raise ValueError(f"unknown robot {name!r}; valid: {valid}")
    return _robots[name]


def check_look(look: str, name: str) -> None:
    """Refuses looks that are unknown, that a robot lacks, or that are not installed.

    Raises:
        ValueError: Names the valid ones, or the extra that is missing.
    """
    check_choice("look", look, LOOKS)
    if look == MESH:
        dressed = [one for one in list_robots() if get_robot(one).meshes]
        check_choice(f"robot with look={MESH}", name, dressed)
        need_assets(f"look={MESH}")


def add_robot(spec: mujoco.MjSpec, name: str, look: str = PRIMITIVE) -> None:
    """Adds a robot at the world's origin, in a model that has nothing else yet."""
    robot = get_robot(name)
    robot.add(spec)
    spec.add_text(name=MARK, data=name)
    if look == MESH and robot.meshes is not None:
        cover_arm(spec, robot.meshes)


def find_robot(model: mujoco.MjModel) -> Robot:
    """The robot that `add_robot` has put into a model."""
    i = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_TEXT, MARK)
    if i < 0:
        raise ValueError("there is no robot in the model")
    start = model.text_adr[i]
    name = model.text_data[start : start + model.text_size[i] - 1]
    return get_robot(bytes(name).decode())
