"""Carries out the runs of the study that are not done yet, one after the other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy.home import HOME
from policy.rollout.log import read_rows
from policy.rollout.workers import Workers
from policy.study.answers import collect_answers
from policy.study.ledger import Ledger
from policy.study.measure import Sitting, examine
from policy.study.plan import Run, digest_words
from policy.training.progress import Screen

# A trained policy is measured here, so that training needs no evaluation of its own.
QUIETLY = ("n=0", "videos=0", "log=[]", "quiet=true", "checkpoint_every=10")
CURVES = ("reward", "success", "affordance", "endpoint", "smoothness", "contact_force")


def conduct(runs: Sequence[Run], ledger: Ledger, work: Path, screen: Screen) -> int:
    """Does what is left of some runs; returns how many were done.

    Args:
        runs: In their order.
        ledger: Where finished runs are; they are not done again.
        work: A folder for trainings; one that was interrupted is gone on with.
        screen: Told what happens.
    """
    left = [run for run in runs if not ledger.has(run)]
    screen.say(f"{len(runs) - len(left)} of {len(runs)} runs are done")
    if not left:
        return 0
    with Workers() as workers:
        hall = Hall(workers=workers, screen=screen)
        for number, run in enumerate(left, start=1):
            start = time.monotonic()
            what = f"{run.question}, {run.name}, seed {run.seed}"
            screen.say(f"{number} of {len(left)}: {what}")
            found = carry_out(run, work, hall)
            ledger.add(run, time.monotonic() - start, found)
    return len(left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hall:
    """Where policies are examined.

    Attributes:
        workers: They build and execute.
        screen: Shows how far it is.
    """

    workers: Workers
    screen: Screen


def carry_out(run: Run, work: Path, hall: Hall) -> dict[str, Any]:
    """Does a run and returns what came of it, plain data."""
    found: dict[str, Any] = {}
    screen, policies = hall.screen, [prepare(one, work) for one in run.compose or [run]]
    if run.train is not None:
        found["curves"] = read_curves(work / run.slug)
    if run.answers:
        total = run.answers["n"] * len(run.answers["splits"])
        with screen.task(run.name, total) as bar:
            found |= collect_answers(
                run, hall.workers, lambda done: screen.move(bar, done)
            )
    if run.exam:
        sitting = Sitting(**run.exam)
        with screen.task(f"measuring {run.name}", sitting.total) as bar:
            found["figures"] = examine(
                policies,
                sitting,
                hall.workers,
                lambda done: screen.move(bar, done),
            )
    return found


def prepare(run: Run, work: Path) -> str:
    """Trains what a run measures, where it trains; returns the policy to measure.

    A training that stopped is gone on with, one that is done is not done again.
    """
    folder = work / run.slug
    if run.warmstart is not None:
        return warm_start(run.warmstart, folder)
    if run.train is None:
        return run.policy
    words = [f"policy={run.policy}", *QUIETLY, *run.train, name_path("run_dir", folder)]
    if run.export:
        data = work / f"{run.question}_images_{digest_words(run.export)}"
        if not data.exists():
            call("export", "policy=expert", *run.export, name_path("out", data))
        words.append(name_path("data.path", data))
    if (folder / "config.yaml").exists():
        words = [name_path("resume", folder)]
    if not (folder / "final").exists():
        call("train", *words)
    return str(folder / "final")


def warm_start(words: Sequence[str], folder: Path) -> str:
    """Trains a policy from random weights, or goes on with that; returns it."""
    out = folder / "final"
    asked = [*words, name_path("run_dir", folder)]
    if (folder / "config.yaml").exists():
        asked = [name_path("resume", folder)]
    if not out.exists():
        call("warmstart", *asked, "n=1", "quiet=true", name_path("out", out))
    return str(out)


def name_path(key: str, path: Path) -> str:
    """An argument of a script; quoted, so that a path may hold any sign."""
    return f"{key}={json.dumps(str(path), ensure_ascii=False)}"


def call(script: str, *words: str) -> None:
    """Runs a script in a process of its own.

    Raises:
        RuntimeError: It failed; the message has its last lines.
    """
    command = [sys.executable, str(HOME / "scripts" / f"{script}.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-20:])
        raise RuntimeError(f"scripts/{script}.py {' '.join(words)} failed:\n{said}")


def read_curves(folder: Path) -> dict[str, list[float]]:
    """Returns what a training's answers amounted to, step by step."""
    rows = read_rows(folder / "metrics.jsonl")
    return {name: [round(row[name], 4) for row in rows] for name in CURVES}
