"""Arms with two fingers: what Graspo must know of one, and those that come along.

`register_robot` makes a `Robot` known by its name, `robot=` in every command. One of
known Denavit-Hartenberg parameters is a `parts.Build` with a `solver.Solver`.
"""

from envs.robot import panda, ur5e  # registers them
from envs.robot.registry import (
    DEFAULT,
    check_look,
    find_robot,
    get_robot,
    list_robots,
    register_robot,
)
from envs.robot.robot import FINGERS, Gripper, Robot

__all__ = [
    "DEFAULT",
    "FINGERS",
    "Gripper",
    "Robot",
    "check_look",
    "find_robot",
    "get_robot",
    "list_robots",
    "panda",
    "register_robot",
    "ur5e",
]
