"""Answers of many policies to the same frozen scenes, each compared and executed.

What a geometric reward sees of an answer stands beside what became of it. Policies are
models at several temperatures, and the expert with errors of known size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

import policy
from envs.answer import format_answer
from envs.records import Plan
from envs.rollout import Rollout
from envs.sampling.suite import load_suite
from envs.scene import AnyScene
from policy.evaluation.evaluate import split_batches
from policy.evaluation.scorers import SCORERS, score_answer
from policy.home import find
from policy.records import Group
from policy.rollout.collect import answer_by_sampling, answer_greedily
from policy.rollout.config import RolloutConfig
from policy.rollout.play import Answerer, Referee, answer_scripted, play
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from policy.runtime.manifest import SUITE
from policy.study.measure import LONGEST
from policy.study.plan import Run
from rewards import compute_metrics

COLUMNS = (
    *("policy", "split", "seed", "format", "iou", "dfd", "hd", "rmse", "end"),
    *("raw_dfd", "raw_hd", "success", "progress", "reason"),
)
SMALLEST = 0.004  # image units: a box that errors have closed is as small as a pixel


def collect_answers(
    run: Run,
    workers: Workers,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Answers frozen scenes, executes the answers and compares them.

    Args:
        run: Its name is a kind of scene, its seed that of sampling and of the expert's
            errors; each seed has scenes of its own. Its `answers` name `n` scenes of
            each of `splits`, answered by each of `policies`: name to `policy`,
            `temperature` and `answers` of a model, or to `shift` or `jitter` of the
            expert.
        workers: They build and execute.
        progress: Told the scenes done.

    Returns:
        `columns` and `rows`, plain data: an answer a row.

    Raises:
        ValueError: If the suite has too few scenes for so many seeds.
    """
    rows: list[list[Any]] = []
    suite = load_suite(find(SUITE))
    env, spec, done = run.name, run.answers, 0
    for split in spec["splits"]:
        draws = suite.list_draws(env, split)
        source = SceneSource(names=(env,), split=split, draws=draws)
        seeds = _choose_scenes(suite.list_seeds(env, split), run)
        for scenes in workers.make_scenes(source, split_batches(seeds)):
            for name, how in spec["policies"].items():
                answerer = choose_answerer(how, run.seed)
                groups = play(answerer, scenes, Referee(workers=workers))
                rows += [row for group in groups for row in _describe(name, group)]
            done += len(scenes)
            progress(done)
    return {"columns": list(COLUMNS), "rows": rows}


def _choose_scenes(seeds: list[int], run: Run) -> list[int]:
    """The frozen scenes that a seed of the study answers."""
    count = run.answers["n"]
    start = run.seed * count
    if start + count > len(seeds):
        raise ValueError(
            f"{run.question}, seed {run.seed}: {count} scenes of each seed from the "
            f"{start + 1}th on, but the suite has {len(seeds)} of {run.name!r}"
        )
    return seeds[start : start + count]


def choose_answerer(how: Mapping[str, Any], seed: int) -> Answerer:
    """Returns the policy that a description is of."""
    if "policy" not in how:
        return answer_scripted(lambda scene: format_answer(_err(scene, how, seed)))
    vlm = _load(how["policy"])
    if not how.get("temperature"):
        return answer_greedily(vlm, LONGEST)
    config = RolloutConfig(
        num_generations=max(2, how["answers"]),
        temperature=how["temperature"],
        max_new_tokens=LONGEST,
    )
    return answer_by_sampling(vlm, config, (seed, 11))


@lru_cache(maxsize=4)
def _load(name: str) -> Any:
    return policy.load(name)


def _err(scene: AnyScene, how: Mapping[str, Any], seed: int) -> Plan:
    """The expert's plan, moved as a whole, or each number by itself."""
    assert scene.reference is not None
    plan, size = scene.reference.to_plan(), float(how.get("shift", how.get("jitter")))
    rng = np.random.default_rng([scene.seed, seed, int(1e4 * size), "shift" in how])
    if "shift" in how:
        angle = rng.uniform(0, 2 * np.pi)
        return plan.move(size * np.cos(angle), size * np.sin(angle))
    numbers = np.array([*plan.box, *(v for p in plan.waypoints for v in p[:2])])
    moved = np.clip(numbers + rng.normal(0, size, numbers.shape), 0, 1)
    (x1, x2), (y1, y2) = (_open(*sorted(moved[i:4:2].tolist())) for i in (0, 1))
    path = moved[4:].reshape(-1, 2).tolist()
    return Plan(box=(x1, y1, x2, y2), waypoints=tuple((x, y) for x, y in path))


def _open(low: float, high: float) -> tuple[float, float]:
    low = min(low, 1 - SMALLEST)
    return low, max(high, low + SMALLEST)


def _describe(name: str, group: Group) -> Iterator[list[Any]]:
    for rollout in group.rollouts:
        yield [name, *_list_figures(rollout)]


def _list_figures(rollout: Rollout) -> list[Any]:
    scene, outcome = rollout.scene, rollout.outcome
    assert scene.reference is not None and outcome is not None
    found = compute_metrics(rollout.answer, scene.reference)
    raw = score_answer(SCORERS["paper"], rollout.answer, scene.reference).path
    distances = [found.dfd, found.hd, found.rmse, found.endpoint]
    distances += [raw.dfd, raw.hd] if raw else distances[:2]
    well_formed = getattr(rollout.answer, "well_formed", False)
    return [
        *(scene.split, scene.seed, int(well_formed), round(found.iou, 4)),
        *(round(d, 4) for d in distances),
        *(int(outcome.success), round(outcome.progress, 3), outcome.reason),
    ]
