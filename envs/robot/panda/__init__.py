"""A Franka Panda."""

from envs.robot.panda.arm import PANDA

__all__ = ["PANDA"]
