"""Names of robots, and which one a model holds."""

from __future__ import annotations

import mujoco

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


def add_robot(spec: mujoco.MjSpec, name: str) -> None:
    """Adds a robot at the world's origin, in a model that has nothing else yet."""
    get_robot(name).add(spec)
    spec.add_text(name=MARK, data=name)


def find_robot(model: mujoco.MjModel) -> Robot:
    """The robot that `add_robot` has put into a model."""
    i = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_TEXT, MARK)
    if i < 0:
        raise ValueError("there is no robot in the model")
    start = model.text_adr[i]
    name = model.text_data[start : start + model.text_size[i] - 1]
    return get_robot(bytes(name).decode())
