"""A UR5e with a gripper of two fingers."""

from envs.robot.ur5e.arm import UR5E

__all__ = ["UR5E"]
