"""A Universal Robots UR5e with a parallel gripper, of primitive shapes.

Kinematics, limits, torques and masses are those that the maker publishes. The gripper
has the size, the stroke and the mass of a Robotiq 2F-85; its fingers slide straight,
where the original's linkage lets them sink by some millimetres as they open.
"""

from __future__ import annotations

import numpy as np

from envs.robot.chain import DARK, Joint, Link, Point
from envs.robot.parts import Box, Build, Hand
from envs.robot.registry import register_robot
from envs.robot.robot import Gripper
from envs.robot.ur5e.kinematics import ElbowUp, Lengths

SIZE = Lengths(d1=0.1625, a2=0.425, a3=0.3922, d4=0.1333, d5=0.0997, d6=0.0996)
ROUND = (-2 * np.pi, 2 * np.pi)  # once around to each side
LARGE, SMALL = 150.0, 28.0  # N m
STIFF, SOFT = 4500.0, 2000.0  # N m/rad, chosen
GREY = (0.35, 0.36, 0.38, 1.0)
SILVER, BLUE = (0.72, 0.74, 0.77, 1.0), (0.42, 0.60, 0.76, 1.0)
UPPER, LOWER = 0.138, 0.007  # m aside, where upper arm and forearm pass each other


def _tube(start: Point, end: Point, radius: float, mass: float = 0.0) -> Link:
    return Link(start=start, end=end, radius=radius, mass=mass, colour=SILVER)


def _housing(start: float, end: float, radius: float, mass: float = 0.0) -> Link:
    """Of a joint's motor, along its axis."""
    points = {"start": (0, 0, start), "end": (0, 0, end)}
    return Link(**points, radius=radius, mass=mass, colour=BLUE)


BASE = [_tube((0, 0, 0), (0, 0, 0.04), 0.075)]
JOINTS = (
    Joint(
        dh=(0, SIZE.d1, 0),
        limits=ROUND,
        torque=LARGE,
        stiffness=STIFF,
        links=[_housing(-0.07, 0, 0.06, 3.761)],
    ),
    Joint(
        dh=(0, 0, np.pi / 2),
        limits=ROUND,
        torque=LARGE,
        stiffness=STIFF,
        links=[
            _housing(0, UPPER, 0.058),
            _tube((0, 0, UPPER), (-SIZE.a2, 0, UPPER), 0.05, 8.058),
        ],
    ),
    Joint(
        dh=(-SIZE.a2, 0, 0),
        limits=(-np.pi, np.pi),
        torque=LARGE,
        stiffness=STIFF,
        links=[
            _housing(LOWER, UPPER, 0.052),
            _tube((0, 0, LOWER), (-SIZE.a3, 0, LOWER), 0.04, 2.846),
        ],
    ),
    Joint(
        dh=(-SIZE.a3, SIZE.d4, 0),
        limits=ROUND,
        torque=SMALL,
        stiffness=SOFT,
        links=[_housing(LOWER - SIZE.d4, 0, 0.042, 1.37)],
    ),
    Joint(
        dh=(0, SIZE.d5, np.pi / 2),
        limits=ROUND,
        torque=SMALL,
        stiffness=SOFT,
        links=[_housing(-SIZE.d5, 0, 0.042, 1.3)],
    ),
    Joint(
        dh=(0, SIZE.d6, -np.pi / 2),
        limits=ROUND,
        torque=SMALL,
        stiffness=SOFT,
        links=[_housing(-SIZE.d6, -0.03, 0.04, 0.365)],
    ),
)
HAND = Hand(
    flange=0.0,
    turn=-np.pi / 2,
    palm=[
        Box(size=(0.0375, 0.0375, 0.036), z=0.036, mass=0.6, colour=DARK),
        Box(size=(0.0165, 0.065, 0.011), z=0.083, mass=0.265, colour=GREY),
    ],
    knuckles=0.08,
    reach=0.1528,  # the ends of closed fingers are 0.1628 m below the flange
)
GRIPPER = Gripper(opening=0.085, width=0.022, squeeze=-0.01)
BUILD = Build(base=BASE, joints=JOINTS, hand=HAND, gripper=GRIPPER)
HOME = np.array([2.41, -2.28, 1.69, -0.98, -np.pi / 2, -0.73])
SOLVER = ElbowUp(
    chain=BUILD.to_chain(),
    lengths=SIZE,
    length=HAND.flange + HAND.reach,
    turn=HAND.turn,
)
UR5E = register_robot(BUILD.to_robot("ur5e", HOME, SOLVER.solve))
