"""MJCF of what robots have in common: a chain of joints, a hand with two fingers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.robot.chain import DARK, LIGHT, RGBA, Chain, Joint, Link, Point
from envs.robot.robot import FINGERS, TIP, TOOL, Gripper, Robot, Solve
from envs.rotation import turn_about_z

GRIPPER_GROUP = 2  # contype bit of whatever moves with the arm
COLLIDE = {"contype": GRIPPER_GROUP, "conaffinity": 0}
BOX = mujoco.mjtGeom.mjGEOM_BOX
THICKNESS = 0.01  # m, of a finger, along the direction in which it closes
GRIP_STIFFNESS, GRIP_LIMIT = 3000, 140  # N/m and N


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of a palm.

    Attributes:
        size: Half sizes [m]; the fingers close along y.
        z: Of its middle in the hand's frame [m].
        mass: Its mass [kg].
        colour: Its colour.
    """

    size: Point
    z: float
    mass: float
    colour: RGBA = LIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """A palm that the last joint carries, and two fingers.

    Attributes:
        flange: From the last joint's frame to the hand's, along z [m].
        turn: Of the hand about z [rad].
        palm: What it is made of; objects meet it.
        knuckles: From the hand's frame to where the fingers begin, along z [m].
        reach: From the hand's frame to the tool's centre, along z [m].
    """

    flange: float
    turn: float
    palm: Sequence[Box]
    knuckles: float
    reach: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Build:
    """What a robot is built of, at the world's origin.

    Attributes:
        base: What does not move.
        joints: The arm's joints, the lowest first.
        hand: The hand on the last one.
        gripper: The hand's fingers.
    """

    base: Sequence[Link]
    joints: Sequence[Joint]
    hand: Hand
    gripper: Gripper

    def to_chain(self) -> Chain:
        """Its forward kinematics."""
        hand = self.hand
        return Chain(self.joints, hand.flange + hand.reach, hand.turn)

    def to_robot(self, name: str, home: NDArray[np.float64], solve: Solve) -> Robot:
        """The robot of a name; see `envs.robot.Robot` for home and solve."""
        chain = self.to_chain()
        return Robot(
            name=name,
            joints=tuple(_name_joint(i) for i in range(len(self.joints))),
            low=chain.low,
            high=chain.high,
            home=home,
            gripper=self.gripper,
            add=self.add,
            forward=chain.forward,
            solve=solve,
        )

    def add(self, spec: mujoco.MjSpec) -> None:
        """Adds it to a spec; see `envs.robot.Robot.add`."""
        flange = _add_chain(spec, self.base, self.joints)
        _add_hand(spec, flange, self.hand, self.gripper)


def _name_joint(i: int) -> str:
    return f"arm/joint{i + 1}"


def _add_chain(
    spec: mujoco.MjSpec, base: Sequence[Link], joints: Sequence[Joint]
) -> Any:
    """Adds an arm with an actuator for each joint's position; returns its last body."""
    body = spec.worldbody.add_body(name="arm/base")
    _add_links(body, base)
    for i, joint in enumerate(joints):
        name, (a, d, alpha) = _name_joint(i), joint.dh
        body = body.add_body(
            name=f"arm/link{i + 1}",
            pos=(a, -np.sin(alpha) * d, np.cos(alpha) * d),
            quat=(np.cos(alpha / 2), np.sin(alpha / 2), 0, 0),
            gravcomp=1,
        )
        body.add_joint(
            name=name,
            axis=(0, 0, 1),
            range=joint.limits,
            armature=0.1,  # rotor inertia, in the range of identified values
            damping=1,
        )
        kind = mujoco.mjtTrn.mjTRN_JOINT
        _add_servo(spec, name, kind, joint.stiffness, joint.torque)
        _add_links(body, joint.links)
    return body


def _add_links(body: Any, links: Sequence[Link]) -> None:
    # They never reach the objects on the table, so they are only to look at.
    for link in links:
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            fromto=(*link.start, *link.end),
            size=(link.radius, 0, 0),
            mass=link.mass,
            rgba=link.colour,
            contype=0,
            conaffinity=0,
        )


def _add_servo(
    spec: mujoco.MjSpec, target: str, kind: Any, stiffness: float, limit: float
) -> None:
    servo = spec.add_actuator(name=target, target=target, trntype=kind)
    servo.set_to_position(kp=stiffness, dampratio=1)
    servo.forcerange = (-limit, limit)


def _add_hand(spec: mujoco.MjSpec, flange: Any, hand: Hand, gripper: Gripper) -> None:
    """Adds a hand, with one actuator for both fingers: half their opening [m]."""
    palm = flange.add_body(
        name="arm/hand",
        pos=(0, 0, hand.flange),
        quat=turn_about_z(hand.turn),
        gravcomp=1,
    )
    for box in hand.palm:
        palm.add_geom(
            type=BOX,
            size=box.size,
            pos=(0, 0, box.z),
            mass=box.mass,
            rgba=box.colour,
            **COLLIDE,
        )
    palm.add_site(name=TOOL, pos=(0, 0, hand.reach))
    for name, side in zip(FINGERS, (1, -1), strict=True):
        _add_finger(palm, name, side, hand, gripper)
        add_force_sensor(spec, name)
    _add_grip(spec)


def _add_finger(palm: Any, name: str, side: int, hand: Hand, gripper: Gripper) -> None:
    finger = palm.add_body(name=name, pos=(0, 0, hand.knuckles), gravcomp=1)
    finger.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=(0, side, 0),
        range=(0, gripper.opening / 2),
        damping=10,
        armature=0.1,
    )
    half = (hand.reach - hand.knuckles) / 2 + TIP / 2
    finger.add_geom(
        name=name,
        type=BOX,
        size=(gripper.width / 2, THICKNESS / 2, half),
        pos=(0, side * THICKNESS / 2, half),
        mass=0.03,
        rgba=DARK,
        friction=(1.2, 0.02, 0.0001),  # rubber pads
        condim=4,
        priority=1,
        **COLLIDE,
    )


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
    """Couples the fingers as real grippers do, with one motor for both."""
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT,
        name1=FINGERS[0],
        name2=FINGERS[1],
        data=(0, 1) + (0,) * 10,
    )
    grip = spec.add_tendon(name="arm/grip")
    for name in FINGERS:
        grip.wrap_joint(name, 0.5)
    _add_servo(spec, "arm/grip", mujoco.mjtTrn.mjTRN_TENDON, GRIP_STIFFNESS, GRIP_LIMIT)
