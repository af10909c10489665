"""A Franka Panda of primitive shapes, built from published numbers.

Kinematics and limits are those of the manufacturer's documentation, which has them in
Craig's convention; link masses are the identified ones of Gaz et al. 2019. The
fingertips are 2 cm longer than the stock ones: the palm then passes over mugs whose
handle the tips hold.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envs.robot.chain import Joint, Link, Point
from envs.robot.panda.meshes import MESHES
from envs.robot.parts import Box, Build, Hand
from envs.robot.registry import register_robot
from envs.robot.robot import Gripper
from envs.robot.solver import Solver


def _link(start: Point, end: Point, radius: float, mass: float = 0.0) -> list[Link]:
    return [Link(start=start, end=end, radius=radius, mass=mass)]


BASE = _link((0, 0, 0), (0, 0, 0.2), 0.08)
JOINTS = (
    Joint(
        dh=(0.0, 0.333, 0.0),
        limits=(-2.8973, 2.8973),
        torque=87.0,
        stiffness=4500,
        links=_link((0, 0, -0.19), (0, 0, 0), 0.065, 4.971),
    ),
    Joint(
        dh=(0.0, 0.0, -np.pi / 2),
        limits=(-1.7628, 1.7628),
        torque=87.0,
        stiffness=4500,
        links=_link((0, 0, -0.05), (0, -0.19, 0), 0.062, 0.647),
    ),
    Joint(
        dh=(0.0, 0.316, np.pi / 2),
        limits=(-2.8973, 2.8973),
        torque=87.0,
        stiffness=3500,
        links=_link((0, 0, -0.13), (0.05, 0, -0.02), 0.06, 3.229),
    ),
    Joint(
        dh=(0.0825, 0.0, np.pi / 2),
        limits=(-3.0718, -0.0698),
        torque=87.0,
        stiffness=3500,
        links=_link((0, 0, 0.0), (-0.07, 0.13, 0), 0.058, 3.588),
    ),
    Joint(
        dh=(-0.0825, 0.384, -np.pi / 2),
        limits=(-2.8973, 2.8973),
        torque=12.0,
        stiffness=2000,
        links=_link((0, 0.04, -0.24), (0, 0.0, -0.02), 0.052, 1.226),
    ),
    Joint(
        dh=(0.0, 0.0, np.pi / 2),
        limits=(-0.0175, 3.7525),
        torque=12.0,
        stiffness=2000,
        links=_link((0, 0, 0), (0.088, 0.0, 0), 0.05, 1.667),
    ),
    Joint(
        dh=(0.088, 0.0, np.pi / 2),
        limits=(-2.8973, 2.8973),
        torque=12.0,
        stiffness=2000,
        links=_link((0, 0, -0.03), (0, 0, 0.07), 0.047, 0.736),
    ),
)
HAND = Hand(
    flange=0.107,  # published, as is the turn
    turn=-np.pi / 4,
    palm=[Box(size=(0.031, 0.1, 0.033), z=0.033, mass=0.73)],
    knuckles=0.0584,
    reach=0.125,
)
GRIPPER = Gripper(opening=0.08, width=0.02, squeeze=-0.01)  # the opening is published
BUILD = Build(base=BASE, joints=JOINTS, hand=HAND, gripper=GRIPPER)
HOME = np.array([0.0, -0.95, 0.0, -2.55, 0.0, 1.6, 0.785])
SOLVER = Solver(BUILD.to_chain(), HOME)
ROBOT = BUILD.to_robot("panda", HOME, SOLVER.solve)
PANDA = register_robot(replace(ROBOT, meshes=MESHES))
