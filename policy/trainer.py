"""The training loop.

    before, [scenes -> answers -> outcomes -> rewards -> advantages -> update], after

Every step's scenes and samples follow from the run's seed and the step's number, so
a run that was killed and resumed writes what an undisturbed one would.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from envs.registry import has_expert
from envs.scene import Scene
from envs.video import write_rollout_videos
from policy.checkpoint import (
    Learner,
    build_learner,
    load_checkpoint,
    save_checkpoint,
    save_policy,
    write_whole,
)
from policy.clock import Clock
from policy.credit import build_batch
from policy.evaluate import answer_greedily, choose_seeds, evaluate
from policy.grpo import update
from policy.grpo_config import GRPOConfig
from policy.optimizer import set_rates
from policy.progress import Screen
from policy.rollout import RolloutConfig, collect, describe
from policy.run_dir import RunDir
from policy.vlm import VLM
from policy.workers import SceneSource, Workers
from rewards import RewardMix

MAX_SKIPPED = 3  # steps in a row without a finite gradient: more means divergence


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to train, on what and how long.

    Attributes:
        source: Scenes to learn from.
        mix: What they reward.
        algo: How to learn.
        rollout: How to sample.
        seed: Of scenes, samples and minibatches.
        steps: GRPO steps.
        max_turns: Turns of a scene; from the second on, what a failed answer left is
            a prompt of its own.
        n: Held-out scenes of the evaluations before and after; 0 leaves them out.
        videos: Attempts in each of the videos before and after.
        checkpoint_every: Steps between checkpoints; the last step has one anyway.
    """

    source: SceneSource
    mix: RewardMix
    algo: GRPOConfig
    rollout: RolloutConfig
    seed: int = 0
    steps: int = 120
    max_turns: int = 1
    n: int = 400
    videos: int = 4
    checkpoint_every: int = 20

    def __post_init__(self) -> None:
        """Refuse counts that mean nothing, and rewards that the scene cannot give."""
        least = {
            "steps": 1,
            "max_turns": 1,
            "n": 0,
            "videos": 0,
            "checkpoint_every": 1,
            "seed": 0,
        }
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ValueError(f"{name} is {getattr(self, name)}; at least {value}")
        if self.mix.needs_reference and not has_expert(self.source.env):
            raise ValueError(
                f"scene {self.source.env!r} has no expert to compare answers with, as "
                f"reward={self.mix.name} would: use reward=success"
            )


def train(vlm: VLM, job: Job, run: RunDir, screen: Screen) -> dict[str, Any]:
    """Trains a policy from where its run directory stands.

    Args:
        vlm: The policy before training; changed in place.
        job: What to do.
        run: Where to write; a checkpoint in it is gone on from.
        screen: Told what happens.

    Returns:
        The content of summary.json.

    Raises:
        FloatingPointError: If the gradient stays without a finite value.
    """
    with Workers(job.rollout.workers) as workers:
        start = time.perf_counter()
        before = run.read_json("before.json")
        if before is None:
            before = _evaluate(vlm, job, run, workers, screen, "before")
            run.write_json("before.json", before)
        learner = build_learner(vlm, job.algo)
        done = load_checkpoint(learner, run.checkpoints)
        start -= run.rewind(done)
        skipped = 0
        with screen.task("training", job.steps, done) as bar:
            steps = range(done + 1, job.steps + 1)
            seeds = (choose_seeds(job.rollout.prompts, job.seed, s) for s in steps)
            feed = workers.make_scenes(job.source, seeds)
            for step in steps:
                row = _step(learner, feed, job, run, workers, step)
                row["timing"]["elapsed_s"] = time.perf_counter() - start
                run.log_step(row)
                screen.show_step(bar, row)
                skipped = skipped + 1 if row["skipped"] else 0
                if skipped == MAX_SKIPPED:
                    raise FloatingPointError(
                        f"no finite gradient in steps {step - skipped + 1} to {step}; "
                        f"go on from the last checkpoint by resume={run.path} or try "
                        "a lower algo.learning_rate"
                    )
                if step % job.checkpoint_every == 0 or step == job.steps:
                    save_checkpoint(learner, run.checkpoints, step)
        with learner.average.applied(vlm):
            after = _evaluate(vlm, job, run, workers, screen, "after")
    write_whole(run.path / "final", lambda path: save_policy(learner, path))
    summary = {
        "env": job.source.env,
        "seed": job.seed,
        "steps": job.steps,
        "seconds": round(time.perf_counter() - start, 3),
        "peak_gib": measure_peak_gib(),
        "before": before,
        "after": after,
    }
    run.write_json("summary.json", summary)
    return summary


def _step(
    learner: Learner,
    feed: Iterator[list[Scene]],
    job: Job,
    run: RunDir,
    workers: Workers,
    step: int,
) -> dict[str, Any]:
    """One step of GRPO; returns its line of metrics."""
    clock = Clock()
    generator = torch.Generator().manual_seed(choose_seeds(1, job.seed, step, 1)[0])
    with clock.measure("step"):
        with clock.measure("scenes"):
            scenes = next(feed)
        groups = collect(
            learner.vlm,
            scenes,
            job.mix,
            job.rollout,
            workers,
            generator,
            clock,
            job.max_turns,
        )
        with clock.measure("compare"):
            batch, advantages = build_batch(learner.vlm, groups, job.algo)
        with clock.measure("update"):
            set_rates(learner.optimizer, job.algo, step, job.steps)
            learned = update(
                learner.vlm,
                learner.optimizer,
                batch,
                job.algo,
                temperature=job.rollout.temperature,
                max_new_tokens=job.rollout.max_new_tokens,
                generator=generator,
            )
            learner.average.update(learner.vlm)
        run.log_rollouts(step, groups, advantages)
    return {
        "step": step,
        **describe(groups),
        "filtered": 1 - float(batch.signal.float().mean()),
        **asdict(learned),
        "timing": {
            **{f"{name}_s": spent for name, spent in clock.seconds.items()},
            "peak_gib": measure_peak_gib(),
        },
    }


def _evaluate(
    vlm: VLM, job: Job, run: RunDir, workers: Workers, screen: Screen, name: str
) -> dict[str, Any]:
    """Measures the policy on held-out scenes and films its first attempts."""
    if not job.n:
        return {"n": 0}
    # Held-out seeds of their own: the same scenes whatever the run's seed, so that
    # runs can be compared, and `scripts/evaluate.py` repeats the figures.
    split = "test" if job.source.split == "train" else job.source.split
    with screen.task(f"evaluating {name}", job.n) as bar:
        evaluation, attempts = evaluate(
            answer_greedily(vlm, job.rollout.max_new_tokens),
            replace(job.source, split=split),
            workers,
            n=job.n,
            keep=job.videos,
            mix=job.mix,
            max_turns=job.max_turns,
            progress=lambda done: screen.move(bar, done),
        )
        if attempts:
            films = [(a.scene, a.text, a.answer, a.outcome, a.reward) for a in attempts]
            write_rollout_videos(films, run.video(name))
    return {"split": split} | evaluation.to_row()


def measure_peak_gib() -> float:
    """Returns the largest memory this process has held, GPU memory included."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    device = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return round((host + device) / 2**30, 3)
