"""The plain executor: what the fast one is measured against, in time and in verdicts.

Nothing is left out and nothing shared: steps of 2 ms instead of 4, the arm's way from
home simulated, objects never asleep, one plan after the other.

Both cannot agree on every plan: a plan that is off by some pixels makes cans hop off
the fingers and mugs bounce on the peg, and there the smallest difference grows. Of
2,080 plans (13 scenes, 20 seeds) the plain executor differs from itself on 10 if the
arm's way from home is left out and on 21 with steps of 1 ms; the fast one differs from
it on 71 of 8,320.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.execution.execute import Answer, prepare
from envs.execution.motion import Motion, ease
from envs.execution.physics import list_force_sensors, refine
from envs.predicates import Execution
from envs.records import Outcome, Plan
from envs.scene import Scene
from envs.world import TIME_STEP

FINER = 2  # steps of the plain executor in one of the fast one
JOINT_SPEED = 1.0  # rad/s of the fastest joint on the way to the object


def simulate_plainly(scene: Scene, answers: Sequence[Answer]) -> list[Outcome]:
    """Executes answers one by one; compare `envs.simulate`."""
    model = copy.copy(scene.model)
    model.opt.timestep = TIME_STEP / FINER
    model.opt.enableflags &= ~int(mujoco.mjtEnableBit.mjENBL_SLEEP)
    return [_execute(scene, model, answer) for answer in answers]


def _execute(scene: Scene, model: mujoco.MjModel, answer: Answer) -> Outcome:
    if not isinstance(answer, Plan):
        return Outcome(success=False, reason=answer.reason)
    [motion] = prepare(scene, [answer])
    if isinstance(motion, Outcome):
        return motion
    data = _copy_state(scene, model)
    sensors = list_force_sensors(model)
    forces = dict.fromkeys(sensors, 0.0)
    for control in _spell_out(scene.state.robot.home, motion):
        data.ctrl[:] = control
        mujoco.mj_step(model, data)
        for body, at in sensors.items():
            force = float(np.linalg.norm(data.sensordata[at]))
            forces[body] = max(forces[body], force)
    mujoco.mj_forward(model, data)
    run = Execution(
        model=model, before=scene.first.data, after=data, peak_forces=forces
    )
    return replace(scene.task.judge(scene.goal, run), smoothness=motion.smoothness)


def _copy_state(scene: Scene, model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = scene.data.qpos, scene.data.qvel
    data.ctrl[:] = scene.data.ctrl
    return data


def _spell_out(home: NDArray[np.float64], motion: Motion) -> NDArray[np.float64]:
    """[T, A] controls: the way from home, then the motion in finer steps."""
    home = np.append(home, 0.0)
    start = motion.control[0]
    way = abs(start - home).max()
    count = int(np.ceil(way / JOINT_SPEED / TIME_STEP * FINER))
    share = np.linspace(0, 1, count)[:, None]
    approach = home + ease(share) * (start - home)
    return np.concatenate([approach, refine(motion.control, FINER)])
