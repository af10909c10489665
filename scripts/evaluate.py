"""Measures a policy on held-out scenes.

`python scripts/evaluate.py env=pick_mug policy=tiny n=200 out=rows.json` prints the
paper's table plus success, with 95 % intervals. env=all takes every scene; policy= also
takes expert, null, random and wrong_target, a directory or a hub id.
`suite=assets/suite.json` takes the scenes of the frozen suite, and checks them.
`words=true` asks each scene for another of its candidates and tells which one it got.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from _launch import (
    BASELINES,
    build,
    choose_answerer,
    launch,
    list_envs,
    name_policy,
    read_camera,
    read_source,
)
from omegaconf import DictConfig


def main(config: DictConfig) -> None:
    """Evaluates on each scene, prints the table and writes the rows."""
    from policy.evaluation.table import tabulate, tabulate_words
    from policy.rollout.config import RolloutConfig
    from policy.rollout.workers import Workers
    from policy.training.progress import Screen

    screen, rollout = Screen(), build(RolloutConfig, config.rollout)
    answerer = choose_answerer(config.policy, rollout.max_new_tokens)
    measure = measure_words if config.words else measure_figures
    rows: list[dict[str, Any]] = []
    with Workers(rollout.workers) as workers:
        for env in list_envs(config):
            with screen.task(f"evaluating {env}", config.n) as bar:
                show = partial(screen.move, bar)
                rows.append(
                    _describe(config, env)
                    | measure(config, read_source(config, env), answerer, workers, show)
                )
    screen.say((tabulate_words if config.words else tabulate)(rows))
    if config.out:
        Path(config.out).parent.mkdir(parents=True, exist_ok=True)
        Path(config.out).write_text(json.dumps(rows, indent=2) + "\n")


def measure_figures(
    config: DictConfig, source: Any, answerer: Any, workers: Any, show: Any
) -> dict[str, Any]:
    """Returns the paper's figures and success on the scenes of a source."""
    from policy.evaluation.evaluate import evaluate
    from policy.rollout.play import Referee

    exam = read_exam(config, source)
    evaluation, _ = evaluate(answerer, exam, Referee(workers=workers), progress=show)
    return evaluation.to_row()


def measure_words(
    config: DictConfig, source: Any, answerer: Any, workers: Any, show: Any
) -> dict[str, Any]:
    """Returns whether the policy follows the words on the scenes of a source."""
    from policy.evaluation.language import measure_obedience

    seeds = read_exam(config, source).list_seeds()
    return measure_obedience(answerer, source, workers, seeds, show).to_row()


def read_exam(config: DictConfig, source: Any) -> Any:
    """Returns what the policy is asked."""
    from envs.sampling.suite import load_suite
    from policy.evaluation.evaluate import Exam
    from policy.home import find

    return Exam(
        source=source,
        n=config.n,
        seed=config.seed,
        max_turns=config.max_turns,
        suite=load_suite(find(config.suite)) if config.suite else None,
    )


def _describe(config: DictConfig, env: str) -> dict[str, Any]:
    """What the figures are of."""
    return {
        "env": env,
        "policy": name_policy(config.policy),
        "split": config.split,
        "shifts": list(config.shifts),
        "camera": read_camera(config),
        "seed": config.seed,
        "waypoints": config.waypoints,
        "answer": config.answer,
        "max_turns": config.max_turns,
        "suite": config.suite,
    }


if __name__ == "__main__":
    launch("evaluate", main, policies=BASELINES, all_envs=True)
