"""The fast executor beside the plain one, and beside bare physics."""

from __future__ import annotations

import time

import numpy as np

from envs.execution.execute import prepare, simulate
from envs.execution.motion import Motion
from envs.execution.physics import roll_out_bare
from envs.execution.plain import simulate_plainly
from envs.records import Plan
from envs.scene import IMAGE_SIZE, Scene

NOISE = (0, 1, 2, 3, 4, 6, 8, 12)  # pixels, of plans from sound to senseless


def compare_executors(scene: Scene, seed: int) -> tuple[float, list[bool]]:
    """How much faster plans of mixed quality are executed, and whether verdicts agree.

    Args:
        scene: A scene with an expert.
        seed: Seeds the noise.

    Returns:
        Seconds of the plain executor over those of the fast one, each on one core, and
        for each plan whether both came to the same verdict.
    """
    plans = make_plans(scene, seed)
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
    assert scene.reference is not None
    expert = scene.reference.to_plan()
    plans = [expert.move(0.0005 * i, 0.0) for i in range(8)]
    motions = [item for item in prepare(scene, plans) if isinstance(item, Motion)]
    ratios = []
    for _ in range(rounds):
        start = time.perf_counter()
        roll_out_bare(scene.state, motions, threads)
        middle = time.perf_counter()
        simulate(scene, plans, threads)
        ratios.append((time.perf_counter() - middle) / (middle - start))
    return float(np.median(ratios))


def make_plans(scene: Scene, seed: int) -> list[Plan]:
    """Returns the expert's plan with ever more noise on each of its numbers.

    Args:
        scene: A scene with an expert.
        seed: Seeds the noise.
    """
    assert scene.reference is not None
    rng, plans = np.random.default_rng(seed), []
    for pixels in NOISE:
        scale = pixels / IMAGE_SIZE
        noisy = np.array(scene.reference.box) + rng.normal(0, scale, 4)
        left, top, right, bottom = np.clip(noisy, 0, 1).tolist()
        path = np.array(scene.reference.waypoints)
        path = np.clip(path + rng.normal(0, scale, path.shape), 0, 1)
        box = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        plans.append(Plan(box=box, waypoints=tuple(map(tuple, path.tolist()))))
    return plans
