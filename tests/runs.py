"""Short trainings of the default policy, and what they leave behind."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console

import policy
from policy.grpo.config import GRPOConfig, LearningRates
from policy.rollout.config import RolloutConfig
from policy.rollout.scene_source import SceneSource
from policy.training.job import Job
from policy.training.progress import Screen
from policy.training.run_dir import RunDir
from policy.training.site import Report
from policy.training.trainer import train
from rewards import RewardMix

JOB = Job(
    source=SceneSource(names=("pick_mug",)),
    mix=RewardMix(weights={"success": 1.0}),
    algo=GRPOConfig(
        num_iterations=1,
        cooldown=0.0,  # so that fewer steps are the beginning of more
        # Of a whole model, which larger ones would spoil.
        learning_rate=LearningRates(tower=1e-4, language=5e-5, embeddings=5e-5),
    ),
    rollout=RolloutConfig(
        prompts=2, num_generations=3, temperature=1.0, max_new_tokens=64, workers=0
    ),
    steps=3,
    n=2,
    videos=0,
    checkpoint_every=1,
    keep=0,
)


def execute(
    path: Path,
    job: Job = JOB,
    *,
    resume: bool = False,
    report: Report = lambda workers: None,
) -> RunDir:
    """Trains the default policy, or goes on with a run."""
    run = RunDir(path) if resume else RunDir.create(path)
    with closing(run):
        if not resume:
            run.write_config("a: 1\n")
        screen = Screen(Console(quiet=True))
        run.open_boards(("tensorboard",), run.find_start(screen.say))
        train(policy.load("tiny", device="cpu"), job, run, screen, report=report)
    return run


def read_log(run: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    """Lines of a run's log, all but the seconds, which no two runs share."""
    lines = (run / name).read_text().splitlines()
    return [json.loads(line) | {"timing": None} for line in lines]


def count_steps(path: Path) -> int:
    """How many steps a run has written so far."""
    metrics = path / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0
