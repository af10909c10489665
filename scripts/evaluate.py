"""Measures a policy on held-out scenes.

`python scripts/evaluate.py env=pick_mug policy=tiny n=200 out=rows.json` prints the
paper's table plus success, with 95 % intervals. env=all takes every scene; policy= also
takes expert, null, random and wrong_target, a directory or a hub id.
`suite=assets/suite.json` takes the scenes of the frozen suite, and checks them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from _launch import (
    BASELINES,
    build,
    choose_answerer,
    launch,
    list_envs,
    name_policy,
    read_source,
)
from omegaconf import DictConfig


def main(config: DictConfig) -> None:
    """Evaluates on each scene, prints the table and writes the rows."""
    from envs.suite import load_suite
    from policy.evaluate import evaluate
    from policy.progress import Screen
    from policy.table import tabulate
    from policy.workers import Workers

    screen = Screen()
    rollout = build(config.rollout)
    answerer = choose_answerer(config.policy, rollout.max_new_tokens)
    suite = load_suite(Path(config.suite)) if config.suite else None
    rows: list[dict[str, Any]] = []
    with Workers(rollout.workers) as workers:
        for env in list_envs(config):
            with screen.task(f"evaluating {env}", config.n) as bar:
                evaluation, _ = evaluate(
                    answerer,
                    read_source(config, env),
                    workers,
                    n=config.n,
                    seed=config.seed,
                    max_turns=config.max_turns,
                    suite=suite,
                    progress=lambda done: screen.move(bar, done),
                )
            what = {"env": env, "policy": name_policy(config.policy)}
            which = {
                "split": config.split,
                "shifts": list(config.shifts),
                "seed": config.seed,
                "waypoints": config.waypoints,
                "answer": config.answer,
                "max_turns": config.max_turns,
                "suite": config.suite,
            }
            rows.append(what | which | evaluation.to_row())
    screen.say(tabulate(rows))
    if config.out:
        Path(config.out).parent.mkdir(parents=True, exist_ok=True)
        Path(config.out).write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    launch("evaluate", main, policies=BASELINES, all_envs=True)
