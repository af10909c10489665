"""Measures speed: `python scripts/bench.py out=bench.json`.

Prints a table and writes JSON: seconds of each stage of a training step, scenes made
and plans executed, the executor against the bare physics of the same controls. Each
figure is the median of several rounds with the lowest and the highest.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _launch import build, launch, load_policy
from omegaconf import DictConfig


def main(config: DictConfig) -> None:
    """Runs the measurements and writes them."""
    from rich.console import Console
    from rich.table import Table

    result = {
        "machine": f"{platform.processor() or platform.machine()}",
        **measure_scenes(config.env.name, config.rounds),
        **measure_execution(config.rounds),
        **measure_step(config),
    }
    table = Table("figure", "median", "low", "high")
    for name, figure in _flatten(result):
        table.add_row(
            name, *(f"{figure[key]:.4g}" for key in ("median", "low", "high"))
        )
    Console().print(table)
    if config.out:
        Path(config.out).write_text(json.dumps(result, indent=2) + "\n")


def measure_scenes(env: str, rounds: int) -> dict[str, Any]:
    """Returns milliseconds of making a scene, and the executor over bare physics."""
    import envs

    unverified, verified, ratio = [], [], []
    for seed in range(rounds):
        start = time.perf_counter()
        envs.make_scene(env, seed=seed, verify=False)
        unverified.append(1e3 * (time.perf_counter() - start))
        start = time.perf_counter()
        scene = envs.make_scene(env, seed=seed)
        verified.append(1e3 * (time.perf_counter() - start))
        ratio.append(_compare_with_physics(scene))
    return {
        "reset_ms": summarise(verified),
        "reset_unverified_ms": summarise(unverified),
        "execute_over_raw": summarise(ratio),
    }


def measure_execution(rounds: int) -> dict[str, Any]:
    """Returns speed over the plain executor, and the share of equal verdicts.

    Over plans of mixed quality, from sound to senseless, of every built-in scene.
    """
    import envs
    from envs.plain import compare_executors

    ratios, agreed = [], []
    for name in envs.scenes.__all__:
        for seed in range(rounds):
            scene = envs.make_scene(name, "test", seed)
            ratio, same = compare_executors(scene, seed)
            ratios.append(ratio)
            agreed.append(float(np.mean(same)))
    share = float(np.mean(agreed))
    return {
        "execute_speedup": summarise(ratios),
        "same_verdicts": {"median": share, "low": min(agreed), "high": max(agreed)},
    }


def measure_step(config: DictConfig) -> dict[str, Any]:
    """Returns seconds of the stages of a GRPO step of the default policy."""
    import torch

    from policy.checkpoint import build_learner
    from policy.clock import Clock
    from policy.credit import build_batch
    from policy.grpo import update
    from policy.rollout import collect
    from policy.workers import SceneSource, Workers

    vlm = load_policy(config.policy)
    algo, rollout, mix = map(build, (config.algo, config.rollout, config.reward))
    learner = build_learner(vlm, algo)
    source = SceneSource(env=config.env.name)
    size, stages = rollout.prompts, []
    with Workers(rollout.workers) as workers:
        batches = [range(i * size, (i + 1) * size) for i in range(config.rounds + 1)]
        for scenes in workers.make_scenes(source, batches):
            clock, generator = Clock(), torch.Generator().manual_seed(0)
            groups = collect(vlm, scenes, mix, rollout, workers, (0,), clock)
            with clock.measure("compare"):
                batch, _ = build_batch(vlm, groups, algo)
            with clock.measure("update"):
                update(
                    vlm,
                    learner.optimizer,
                    batch,
                    algo,
                    temperature=rollout.temperature,
                    max_new_tokens=rollout.max_new_tokens,
                    generator=generator,
                )
            stages.append(clock.seconds)
    stages = stages[1:]  # the first round warms up
    share = [row["simulate"] / sum(row.values()) for row in stages]
    answers = size * rollout.num_generations
    return {
        "stages": {
            name: summarise([row[name] for row in stages]) for name in stages[0]
        },
        "simulate_share": summarise(share),
        "answers_per_s": summarise([answers / sum(row.values()) for row in stages]),
    }


def summarise(values: list[float]) -> dict[str, float]:
    """Returns median, lowest and highest."""
    return {
        "median": float(np.median(values)),
        "low": float(min(values)),
        "high": float(max(values)),
    }


def _compare_with_physics(scene: Any) -> float:
    """Time to execute 8 plans over the time of the bare rollout of their controls."""
    import envs
    from envs.execute import prepare
    from envs.motion import Motion
    from envs.physics import roll_out_bare
    from envs.records import Plan

    reference = scene.reference
    plans = [
        Plan(
            box=reference.box,
            waypoints=tuple((x + 0.0005 * i, y) for x, y in reference.waypoints),
        )
        for i in range(8)
    ]
    motions = [m for m in prepare(scene, plans) if isinstance(m, Motion)]
    bare = _time(lambda: roll_out_bare(scene.model, scene.data, motions))
    return _time(lambda: envs.simulate(scene, plans)) / bare


def _time(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _flatten(result: dict[str, Any], prefix: str = "") -> list[tuple[str, dict]]:
    rows = []
    for name, value in result.items():
        if isinstance(value, dict) and "median" in value:
            rows.append((prefix + name, value))
        elif isinstance(value, dict):
            rows += _flatten(value, f"{prefix}{name}.")
    return rows


if __name__ == "__main__":
    launch("bench", main)
