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
import time
from collections.abc import Sequence
from dataclasses import replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import arm
from envs.execute import Answer, prepare, simulate
from envs.motion import Motion
from envs.physics import list_force_sensors, refine, roll_out_bare
from envs.predicates import Execution
from envs.records import Outcome, Plan
from envs.scene import IMAGE_SIZE, Scene
from envs.world import TIME_STEP

FINER = 2  # steps of the plain executor in one of the fast one
NOISE = (0, 1, 2, 3, 4, 6, 8, 12)  # pixels, of plans from sound to senseless
JOINT_SPEED = 1.0  # rad/s of the fastest joint on the way to the object


def compare_executors(scene: Scene, seed: int) -> tuple[float, list[bool]]:
    """How much faster plans of mixed quality are executed, and whether verdicts agree.

    Args:
        scene: A scene with an expert.
        seed: Of the noise.

    Returns:
        Seconds of the plain executor over those of the fast one, each on one core, and
        for each plan whether both came to the same verdict.
    """
    plans = _spoil(scene, np.random.default_rng(seed))
    start = time.perf_counter()
    fast = simulate(scene, plans, threads=1)
    middle = time.perf_counter()
    plain = simulate_plainly(scene, plans)
    ratio = (time.perf_counter() - middle) / (middle - start)
    return ratio, [a.success == b.success for a, b in zip(fast, plain, strict=True)]


def compare_with_physics(scene: Scene, threads: int = 1, rounds: int = 9) -> float:
    """How long executing takes beside the bare physics of the same controls.

    Args:
        scene: A scene with an expert.
        threads: Physics threads of both; a group of a training step has one.
        rounds: How often both are timed, one after the other; the median pair counts.

    Returns:
        Seconds of `simulate` over those of a rollout of its controls, for 8 plans.
    """
    plans = [_shift(scene, 0.0005 * i) for i in range(8)]
    motions = [item for item in prepare(scene, plans) if isinstance(item, Motion)]
    ratios = []
    for _ in range(rounds):
        start = time.perf_counter()
        roll_out_bare(scene.model, scene.data, motions, threads)
        middle = time.perf_counter()
        simulate(scene, plans, threads)
        ratios.append((time.perf_counter() - middle) / (middle - start))
    return float(np.median(ratios))


def _shift(scene: Scene, right: float) -> Plan:
    """The expert's plan, moved in the image."""
    assert scene.reference is not None
    x1, y1, x2, y2 = scene.reference.box
    path = tuple((x + right, *rest) for x, *rest in scene.reference.waypoints)
    return Plan(box=(x1 + right, y1, x2 + right, y2), waypoints=path)


def _spoil(scene: Scene, rng: np.random.Generator) -> list[Plan]:
    """The expert's plan with ever more noise on each of its numbers."""
    assert scene.reference is not None
    plans = []
    for pixels in NOISE:
        scale = pixels / IMAGE_SIZE
        noisy = np.array(scene.reference.box) + rng.normal(0, scale, 4)
        left, top, right, bottom = np.clip(noisy, 0, 1).tolist()
        path = np.array(scene.reference.waypoints)
        path = np.clip(path + rng.normal(0, scale, path.shape), 0, 1)
        box = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        plans.append(Plan(box=box, waypoints=tuple(map(tuple, path.tolist()))))
    return plans


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
    for control in _spell_out(motion):
        data.ctrl[:] = control
        mujoco.mj_step(model, data)
        for body, at in sensors.items():
            force = float(np.linalg.norm(data.sensordata[at]))
            forces[body] = max(forces[body], force)
    mujoco.mj_forward(model, data)
    run = Execution(model=model, before=scene.data, after=data, peak_forces=forces)
    return replace(scene.task.judge(scene.goal, run), smoothness=motion.smoothness)


def _copy_state(scene: Scene, model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:] = scene.data.qpos, scene.data.qvel
    data.ctrl[:] = scene.data.ctrl
    return data


def _spell_out(motion: Motion) -> NDArray[np.float64]:
    """[T, 8] controls: the way from home, then the motion in finer steps."""
    home = np.append(arm.HOME, 0.0)
    start = motion.control[0]
    way = abs(start - home).max()
    count = int(np.ceil(way / JOINT_SPEED / TIME_STEP * FINER))
    share = np.linspace(0, 1, count)[:, None]
    approach = home + share * share * (3 - 2 * share) * (start - home)
    return np.concatenate([approach, refine(motion.control, FINER)])
