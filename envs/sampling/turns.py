"""Closed loop: what the next turn of an episode starts from."""

from __future__ import annotations

from dataclasses import replace

import mujoco

from envs.execution.execute import run
from envs.records import AnyAnswer, Plan
from envs.robot import find_robot
from envs.sampling.reference import make_reference
from envs.sampling.settle import hold_home
from envs.scene import Scene, observe, segment
from envs.state import State
from envs.world import TIME_STEP

LONGEST_REST_S = 1.0  # enough for what the hand drops to fall, roll and lie still
STILL = 0.01  # m/s and rad/s: slower objects count as at rest, as for sleeping


def follow_up(scene: Scene, answer: AnyAnswer) -> Scene:
    """The scene of the turn after an answer that failed.

    Where nothing could be executed, that is the scene itself.
    """
    if not isinstance(answer, Plan):
        return scene
    _, playback = run(scene, answer)
    if playback is None or playback.after is None:
        return scene
    return retract(scene, playback.after)


def observe_after(scene: Scene, after: mujoco.MjData) -> Scene:
    """The scene with another state of its model, seen anew.

    Args:
        scene: The scene before.
        after: A state, kinematics computed; the result keeps it.
    """
    state = State(scene.model, after)
    asked = scene.observation
    seen = observe(state, asked.instruction)
    return replace(
        scene,
        state=state,
        observation=replace(asked, image=seen.image, camera=seen.camera),
        seen=segment(state),
    )


def retract(scene: Scene, after: mujoco.MjData) -> Scene:
    """The scene of the next turn: arm at home, objects at rest where they are left.

    The arm goes home kinematically and touches nothing; what it held falls. The new
    reference is the expert's answer to the new state, not verified in simulation. Where
    the target part can no longer be seen, the old one stays.

    Args:
        scene: The scene before.
        after: The state at the end of an execution, which stays as it is.
    """
    following = observe_after(scene, _rest(scene.model, after))
    if scene.reference is None:
        return following
    reference = make_reference(following, scene.goal) or scene.reference
    return replace(following, reference=reference)


def _rest(model: mujoco.MjModel, after: mujoco.MjData) -> mujoco.MjData:
    robot, data = find_robot(model), mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = after.qpos, after.qvel
    for _ in range(round(LONGEST_REST_S / TIME_STEP)):
        hold_home(robot, data)
        mujoco.mj_step(model, data)
        if abs(data.qvel[robot.size :]).max(initial=0) < STILL:
            break
    hold_home(robot, data)
    data.qvel[:] = 0
    data.time = 0
    mujoco.mj_forward(model, data)
    return data
