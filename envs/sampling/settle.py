"""Lets what a scene was built from come to rest, and says what does not.

A snapshot of something in mid-air is no scene: outcomes compare with where things were,
so that a fall would count as movement and a hovering can as lifted.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import mujoco
import numpy as np

from envs.robot import Robot, find_robot
from envs.state import State
from envs.world import TIME_STEP

LOOKS = (25, 50, 100, 200, 400)  # steps; contacts form in 0.1 s, 1.6 s end any fall
STILL = 0.05  # m/s or rad/s: what is slower needs no second look; a fall is faster
WATCHED_S = 1.0  # how long a snapshot that is not still is watched
MOVED = 0.004  # m on its own; what leans or rocks in the library moves by 2.6 mm
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
    robot, data = find_robot(model), mujoco.MjData(model)
    hold_home(robot, data)
    mujoco.mj_step(model, data)  # leaves the contacts of what was built
    if trouble := _find_overlap(model, data, "is put"):
        return Restless(trouble)
    done = 1
    for steps in LOOKS:
        _step(model, data, steps - done)
        done = steps
        state = _stop(robot, model, data)
        if not _is_sound(state.data):
            return state
        trouble = _find_unrest(state, np.abs(data.qvel[robot.size :]).max(initial=0))
        if not trouble:
            break
    trouble = trouble or _find_fallen(model, state.data)
    return Restless(trouble) if trouble else state


def _find_unrest(state: State, speed: float) -> str:
    """What is still going on in the snapshot of a moment of some speed; "" if nothing.

    Speed alone does not tell: a leaning pan may rock for a second, on the spot.
    """
    if trouble := _find_overlap(state.model, state.data, "stays"):
        return trouble
    drifting = find_drift(state) if speed > STILL else ""
    return f"body {drifting!r} does not come to rest" if drifting else ""


def hold_home(robot: Robot, data: mujoco.MjData) -> None:
    """Sets the arm at home with its hand closed, as every scene starts."""
    count = len(robot.joints)
    data.qpos[:count] = data.ctrl[:count] = robot.home
    data.qpos[count : robot.size] = data.ctrl[count:] = 0
    data.qvel[: robot.size] = 0


def _stop(robot: Robot, model: mujoco.MjModel, data: mujoco.MjData) -> State:
    """The snapshot of a moment, in which nothing has any speed."""
    moment = copy(data)
    moment.qvel[:] = 0
    moment.qpos[: len(robot.joints)] = robot.home
    moment.time = 0
    mujoco.mj_forward(model, moment)
    return State(model, moment)


def _is_sound(data: mujoco.MjData) -> bool:
    return bool(np.isfinite(data.qpos).all()) and not data.warning.number.any()


def find_drift(state: State) -> str:
    """The body that moves most on its own within a second; "" if none does.

    Args:
        state: The snapshot, which stays as it is.
    """
    model, data = state.model, copy(state.data)
    _step(model, data, round(WATCHED_S / TIME_STEP))
    mujoco.mj_kinematics(model, data)
    moved = np.linalg.norm(data.xpos - state.data.xpos, axis=1)
    moved[[model.body(i).name.startswith("arm/") for i in range(model.nbody)]] = 0
    return model.body(int(moved.argmax())).name if moved.max() > MOVED else ""


def _step(model: mujoco.MjModel, data: mujoco.MjData, count: int) -> None:
    for _ in range(count):
        mujoco.mj_step(model, data)


def _find_fallen(model: mujoco.MjModel, data: mujoco.MjData) -> str:
    """What can move and is no longer on the table."""
    table, first = model.geom("table"), find_robot(model).size
    for body in np.unique(model.body_rootid[model.dof_bodyid[first:]]):
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
