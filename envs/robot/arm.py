"""A Franka Panda of primitive shapes, built from published numbers.

Kinematics (Craig's modified Denavit-Hartenberg table) and limits are those of the
manufacturer's documentation; link masses are the identified ones of Gaz et al. 2019.
Shapes are capsules and boxes, so nothing is downloaded. The fingertips are 2 cm longer
than the stock ones: the palm then passes over mugs whose handle the tips hold.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from envs.rotation import turn_about_z

# One row a joint: a [m], d [m], alpha [rad] (frame i-1 -> i, Craig's convention).
DH = np.array(
    [
        [0.0, 0.333, 0.0],
        [0.0, 0.0, -np.pi / 2],
        [0.0, 0.316, np.pi / 2],
        [0.0825, 0.0, np.pi / 2],
        [-0.0825, 0.384, -np.pi / 2],
        [0.0, 0.0, np.pi / 2],
        [0.088, 0.0, np.pi / 2],
    ]
)
JOINT_LOW = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
JOINT_HIGH = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
VELOCITY_LIMIT = np.array([2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61])
TORQUE_LIMIT = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
LINK_MASS = (4.971, 0.647, 3.229, 3.588, 1.226, 1.667, 0.736)

FLANGE = 0.107  # from joint 7 to the hand, published
HAND_TURN = -np.pi / 4  # the hand's turn about the flange, published
TOOL = 0.125  # from the hand's frame to the centre of the finger pads
MAX_OPENING = 0.08  # between the fingers, published

# Tool above the near edge of the table, out of the view of the scene's camera.
HOME = np.array([0.0, -0.95, 0.0, -2.55, 0.0, 1.6, 0.785])

ARM_JOINTS = 9  # of arm and fingers, which come first in qpos
JOINTS = tuple(f"arm/joint{i}" for i in range(1, 8))
FINGERS = ("arm/left_finger", "arm/right_finger")
GRIPPER_GROUP = 2  # contype bit of whatever moves with the arm
WHITE, DARK, GREY = (0.93, 0.93, 0.95, 1), (0.18, 0.18, 0.2, 1), (0.55, 0.57, 0.6, 1)


def add_arm(spec: mujoco.MjSpec) -> None:
    """Adds the arm, its gripper and their actuators at the world's origin.

    Actuators 0..6 take joint positions [rad]; actuator 7 takes half the opening [m].
    """
    body = spec.worldbody.add_body(name="arm/base")
    _add_link_shape(body, (0, 0, 0.0), (0, 0, 0.2), 0.08)
    for i, (a, d, alpha) in enumerate(DH):
        body = body.add_body(
            name=f"arm/link{i + 1}",
            pos=(a, -np.sin(alpha) * d, np.cos(alpha) * d),
            quat=(np.cos(alpha / 2), np.sin(alpha / 2), 0, 0),
            gravcomp=1,
        )
        _add_joint(spec, body, i)
    _add_shapes(spec)
    _add_hand(spec, body)


def _add_joint(spec: mujoco.MjSpec, body: Any, i: int) -> None:
    body.add_joint(
        name=JOINTS[i],
        axis=(0, 0, 1),
        range=(JOINT_LOW[i], JOINT_HIGH[i]),
        armature=0.1,  # rotor inertia, in the range of the identified values
        damping=1,
    )
    stiffness = (4500, 4500, 3500, 3500, 2000, 2000, 2000)[i]
    _add_servo(spec, JOINTS[i], mujoco.mjtTrn.mjTRN_JOINT, stiffness, TORQUE_LIMIT[i])


def _add_servo(
    spec: mujoco.MjSpec, target: str, kind: Any, stiffness: float, limit: float
) -> None:
    servo = spec.add_actuator(name=target, target=target, trntype=kind)
    servo.set_to_position(kp=stiffness, dampratio=1)
    servo.forcerange = (-limit, limit)


def _add_link_shape(
    body: Any, start: tuple, end: tuple, radius: float, mass: float = 0.0
) -> None:
    # Links never reach the objects on the table, so they are only to look at.
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=(*start, *end),
        size=(radius, 0, 0),
        mass=mass,
        rgba=WHITE,
        contype=0,
        conaffinity=0,
    )


def _add_shapes(spec: mujoco.MjSpec) -> None:
    """One capsule a link, along the link's longer extent."""
    spans = (
        ((0, 0, -0.19), (0, 0, 0), 0.065),
        ((0, 0, -0.05), (0, -0.19, 0), 0.062),
        ((0, 0, -0.13), (0.05, 0, -0.02), 0.06),
        ((0, 0, 0.0), (-0.07, 0.13, 0), 0.058),
        ((0, 0.04, -0.24), (0, 0.0, -0.02), 0.052),
        ((0, 0, 0), (0.088, 0.0, 0), 0.05),
        ((0, 0, -0.03), (0, 0, 0.07), 0.047),
    )
    for i, (start, end, radius) in enumerate(spans):
        body = spec.body(f"arm/link{i + 1}")
        _add_link_shape(body, start, end, radius, LINK_MASS[i])


def _add_hand(spec: mujoco.MjSpec, flange: Any) -> None:
    hand = flange.add_body(
        name="arm/hand",
        pos=(0, 0, FLANGE),
        quat=turn_about_z(HAND_TURN),
        gravcomp=1,
    )
    collide = {"contype": GRIPPER_GROUP, "conaffinity": 0}
    box = mujoco.mjtGeom.mjGEOM_BOX
    hand.add_geom(
        type=box,
        size=(0.031, 0.1, 0.033),
        pos=(0, 0, 0.033),
        mass=0.73,
        rgba=WHITE,
        **collide,
    )
    hand.add_site(name="arm/tool", pos=(0, 0, TOOL))
    for name, side in zip(FINGERS, (1, -1), strict=True):
        finger = hand.add_body(name=name, pos=(0, 0, 0.0584), gravcomp=1)
        finger.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=(0, side, 0),
            range=(0, MAX_OPENING / 2),
            damping=10,
            armature=0.1,
        )
        tip = TOOL - 0.0584
        finger.add_geom(
            name=name,
            type=box,
            size=(0.01, 0.005, tip / 2 + 0.005),
            pos=(0, side * 0.005, tip / 2 + 0.005),
            mass=0.03,
            rgba=DARK,
            friction=(1.2, 0.02, 0.0001),  # rubber pads
            condim=4,
            priority=1,
            **collide,
        )
        add_force_sensor(spec, name)
    _add_grip(spec)


def add_force_sensor(spec: mujoco.MjSpec, body: str) -> None:
    """Net contact force [N] on a body; `Execution.peak_forces` tells its largest."""
    bits = 1 << int(mujoco.mjtConDataField.mjCONDATA_FORCE)
    spec.add_sensor(
        name=body,
        type=mujoco.mjtSensor.mjSENS_CONTACT,
        objtype=mujoco.mjtObj.mjOBJ_BODY,
        objname=body,
        intprm=(bits, 3, 1),  # what, how it is reduced (net force), how many
    )


def _add_grip(spec: mujoco.MjSpec) -> None:
    """Couples the fingers as the real gripper does, with one motor for both."""
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT,
        name1=FINGERS[0],
        name2=FINGERS[1],
        data=(0, 1) + (0,) * 10,
    )
    grip = spec.add_tendon(name="arm/grip")
    for name in FINGERS:
        grip.wrap_joint(name, 0.5)
    _add_servo(spec, "arm/grip", mujoco.mjtTrn.mjTRN_TENDON, 3000, 140)
