"""Lets what a scene was built from come to rest, and says what does not.

A snapshot of something in mid-air is no scene: outcomes compare with where things were,
so that a fall would count as movement and a hovering can as lifted.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.robot import arm
from envs.robot.arm import ARM_JOINTS
from envs.state import State
from envs.world import TIME_STEP

SETTLE_STEPS = 25  # 0.1 s, which lets contacts form; looked at after each so many
LONGEST_STEPS = 500  # 2 s: what was put too high has fallen, bounced and come to rest
# m/s. The library's scenes are at most half as fast after 0.1 s: a leaning tool.
STILL = 0.03
ARM_LENGTH = 0.05  # m, about the size of things on the table: turns 1 rad/s into m/s
DEEPEST = 0.003  # m; deeper inside each other two things are thrown apart
FURNITURE = ("table", "floor")
LOWEST = -0.01  # m, middle of what stands on the table


@dataclass(frozen=True, slots=True)
class Restless:
    """Why a scene cannot be used: something in it does not rest.

    Attributes:
        reason: What does not, by its body's name.
    """

    reason: str


def settle(model: mujoco.MjModel) -> State | Restless:
    """The scene at rest with the arm at home, or what does not come to rest.

    Physics that diverge are left as they are, for `envs.contract.check_state`.
    """
    data = mujoco.MjData(model)
    data.qpos[: len(arm.HOME)] = arm.HOME
    data.ctrl[: len(arm.HOME)] = arm.HOME
    mujoco.mj_step(model, data)  # leaves the contacts of what was built
    trouble = _find_overlap(model, data, "is put") or _come_to_rest(model, data)
    data.qvel[:] = 0
    data.qpos[: len(arm.HOME)] = arm.HOME
    data.time = 0
    mujoco.mj_forward(model, data)
    if not _is_sound(data):
        return State(model, data)
    trouble = trouble or _find_overlap(model, data, "still is")
    return Restless(trouble) if trouble else State(model, data)


def _come_to_rest(model: mujoco.MjModel, data: mujoco.MjData) -> str:
    """Steps until all is still; returns what does not become so, or falls down."""
    arms, done = _measure_arms(model), 1
    while done < LONGEST_STEPS:
        count = SETTLE_STEPS - done % SETTLE_STEPS
        _step(model, data, count)
        done += count
        dof, speed = _find_fastest(data, arms)
        if speed <= STILL or not _is_sound(data):
            return _find_fallen(model, data)
    body = model.body(int(model.dof_bodyid[dof])).name
    return f"body {body!r} still moves after {LONGEST_STEPS * TIME_STEP:.0f} s"


def _is_sound(data: mujoco.MjData) -> bool:
    return bool(np.isfinite(data.qpos).all()) and not data.warning.number.any()


def find_drift(state: State, seconds: float = 1.0, limit: float = 0.01) -> str:
    """What moves on its own from a snapshot by more than a limit [m]; "" for nothing.

    Args:
        state: The snapshot, which stays as it is.
        seconds: How long to watch.
        limit: How far a body may get [m].
    """
    model, data = state.model, mujoco.MjData(state.model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = (
        state.data.qpos,
        state.data.qvel,
        state.data.ctrl,
    )
    _step(model, data, round(seconds / TIME_STEP))
    mujoco.mj_kinematics(model, data)
    moved = np.linalg.norm(data.xpos - state.data.xpos, axis=1)
    moved[[model.body(i).name.startswith("arm/") for i in range(model.nbody)]] = 0
    return model.body(int(moved.argmax())).name if moved.max() > limit else ""


def _step(model: mujoco.MjModel, data: mujoco.MjData, count: int) -> None:
    for _ in range(count):
        mujoco.mj_step(model, data)


def _measure_arms(model: mujoco.MjModel) -> NDArray[np.float64]:
    """[nv - arm] what turns the speed of each degree of freedom into m/s."""
    arms = np.ones(model.nv)
    first, kind = model.jnt_dofadr, model.jnt_type
    for joint in range(model.njnt):
        turning = {
            mujoco.mjtJoint.mjJNT_FREE: slice(first[joint] + 3, first[joint] + 6),
            mujoco.mjtJoint.mjJNT_BALL: slice(first[joint], first[joint] + 3),
            mujoco.mjtJoint.mjJNT_HINGE: slice(first[joint], first[joint] + 1),
        }.get(mujoco.mjtJoint(kind[joint]), slice(0))
        arms[turning] = ARM_LENGTH
    return arms[ARM_JOINTS:]


def _find_fastest(
    data: mujoco.MjData, arms: NDArray[np.float64]
) -> tuple[int, float]:
    """The fastest degree of freedom that is not the arm's, and its speed [m/s]."""
    speed = np.abs(data.qvel[ARM_JOINTS:]) * arms
    if not len(speed):
        return 0, 0.0
    fastest = int(speed.argmax())
    return fastest + ARM_JOINTS, float(speed[fastest])


def _find_fallen(model: mujoco.MjModel, data: mujoco.MjData) -> str:
    """What can move and is no longer on the table."""
    table = model.geom("table")
    for body in np.unique(model.body_rootid[model.dof_bodyid[ARM_JOINTS:]]):
        geoms = np.flatnonzero(model.body_rootid[model.geom_bodyid] == body)
        where = data.geom_xpos[geoms].mean(axis=0) if len(geoms) else data.xpos[body]
        beside = np.abs(where - table.pos)[:2] > table.size[:2]
        if beside.any() or where[2] < LOWEST:
            return f"body {model.body(int(body)).name!r} is not on the table"
    return ""


def _find_overlap(model: mujoco.MjModel, data: mujoco.MjData, when: str) -> str:
    """Two bodies that are inside each other."""
    if not data.ncon or data.contact.dist.min() >= -DEEPEST:
        return ""
    contact = data.contact[int(data.contact.dist.argmin())]
    owners = (_name_owner(model, *ids) for ids in zip(contact.geom, contact.flex))
    inner, outer = sorted(owners, key=lambda name: name in FURNITURE)
    return f"body {inner!r} {when} inside {outer!r}"


def _name_owner(model: mujoco.MjModel, geom: int, flex: int) -> str:
    """What a contact belongs to: a body, or what stands in the world without one."""
    if geom < 0:
        return model.flex(int(flex)).name
    body = model.body(int(model.geom_bodyid[geom])).name
    return model.geom(int(geom)).name if body == "world" else body
