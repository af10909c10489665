"""What the arm does, frame by frame: the way to the grasp, then the execution.

Films and data sets show both. The way there touches nothing and is not simulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras.render import render
from envs.cameras.viewpoint import CAMERA
from envs.execution.motion import ease
from envs.execution.physics import Playback
from envs.scene import IMAGE_SIZE
from envs.state import State
from envs.world import TIME_STEP

FPS = 25  # every tenth physics step, so that motion is even
STEPS = round(1 / (FPS * TIME_STEP))
JOINT_SPEED = 1.5  # rad/s of the fastest joint on the way to the grasp, on average


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """An execution as a data set has it, `FPS` frames a second.

    Attributes:
        qpos: [N, nq] positions of everything; the last row is the state judged.
        target: [N, joints + 1] where joints and half the opening [m] are sent by the
            end of the frame.
        simulated: [N] whether the physics played the frame; not so on the way from
            home to above the grasp, which comes first.
    """

    qpos: NDArray[np.float64]
    target: NDArray[np.float64]
    simulated: NDArray[np.bool_]


def record_motion(home: NDArray[np.float64], playback: Playback) -> Recording:
    """Samples an execution with frames from the simulator's own steps.

    Args:
        home: [nq] positions before it.
        playback: It, with frames, and not diverged.
    """
    control = playback.motion.control
    start = home.copy()
    size = len(playback.motion.start)
    start[:size] = playback.motion.start
    way = show_approach(home, playback.motion.start)
    following = np.vstack([way[1:], start])
    at = np.arange(0, len(control) + STEPS, STEPS).clip(max=len(control))
    states = np.vstack([start, playback.frames])
    sent = (at + STEPS - 1).clip(max=len(control) - 1)
    return Recording(
        qpos=np.vstack([way, states[at]]),
        target=np.vstack([read_arm(following, size), control[sent]]),
        simulated=np.arange(len(way) + len(at)) >= len(way),
    )


def read_arm(qpos: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """[N, size - 1] joints [rad] and half the opening [m] of [N, nq] positions.

    Args:
        qpos: Positions of everything; those of the arm and its two fingers come first.
        size: How many these are.
    """
    joints, fingers = qpos[:, : size - 2], qpos[:, size - 2 : size]
    return np.hstack([joints, fingers.mean(axis=1, keepdims=True)])


def show_approach(
    home: NDArray[np.float64], start: NDArray[np.float64], rate: float = FPS
) -> NDArray[np.float64]:
    """[N, nq] positions on the way from home to, but not at, an arm's position.

    Args:
        home: [nq] positions of everything before.
        start: [size] positions of the arm and its fingers above the grasp.
        rate: Frames a second.
    """
    way = start - home[: len(start)]
    count = max(round(rate * 0.5), round(rate * abs(way).max() / JOINT_SPEED))
    qpos = np.tile(home, (count, 1))
    along = ease(np.linspace(0, 1, count, endpoint=False))
    qpos[:, : len(start)] += along[:, None] * way
    return qpos


def photograph(model: mujoco.MjModel, recording: Recording) -> NDArray[np.uint8]:
    """[N, H, W, 3] what the policy's camera sees of a recording."""
    state = State(model, mujoco.MjData(model))
    images = np.empty((len(recording.qpos), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    for image, qpos in zip(images, recording.qpos, strict=True):
        pose(model, state.data, qpos)
        image[:] = render(state, CAMERA, IMAGE_SIZE, IMAGE_SIZE)
    return images


def pose(model: mujoco.MjModel, data: mujoco.MjData, qpos: NDArray[np.float64]) -> None:
    """Puts everything where it is to be seen, at a fraction of a step's cost."""
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)
    mujoco.mj_flex(model, data)
