"""The training loop.

    before, [scenes -> answers -> outcomes -> rewards -> advantages -> update], after

Every step's scenes and samples follow from the run's seed and the step's number, so
a run that was killed and resumed writes what an undisturbed one would.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, takewhile
from typing import Any, NoReturn

import torch

from envs.scene import Scene
from envs.video.film import write_rollout_videos
from policy.evaluation.evaluate import Exam, evaluate
from policy.evaluation.pairs import compare_solved, list_solved
from policy.grpo.batch import Batch, UpdateMetrics
from policy.grpo.credit import build_batch
from policy.grpo.grpo import update
from policy.grpo.optimizer import set_rates
from policy.model.prompt import build_prompt
from policy.model.vlm import VLM
from policy.rollout.collect import answer_greedily, collect
from policy.rollout.curriculum import allot
from policy.rollout.figures import describe
from policy.rollout.play import Referee
from policy.rollout.scene_source import SceneSource, choose_seeds
from policy.rollout.workers import Workers
from policy.runtime.clock import Clock
from policy.runtime.distributed import ALONE, Team
from policy.runtime.lanes import count_lanes
from policy.runtime.memory import give_back, measure_peak_gib
from policy.training.checkpoint import (
    Learner,
    build_learner,
    find_newest,
    load_checkpoint,
    save_checkpoint,
    save_policy,
    write_whole,
)
from policy.training.evidence import save_batch
from policy.training.job import Job
from policy.training.progress import Screen
from policy.training.rehearsal import rehearse
from policy.training.run_dir import RunDir

Report = Callable[[Workers], object]
"""Writes what people read of a run; may use its workers."""
MAX_SKIPPED = 3  # steps in a row without a finite gradient: more means divergence


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """What a run works with: its job, its directory, its screen, processes, workers.

    Attributes:
        history: Metrics of the steps taken, in every process; grows with them.
        report: Shows what the directory holds, whenever there is more of it.
    """

    job: Job
    run: RunDir
    screen: Screen
    team: Team
    workers: Workers
    history: list[dict[str, Any]]
    report: Report


def train(
    vlm: VLM,
    job: Job,
    run: RunDir,
    screen: Screen,
    team: Team = ALONE,
    report: Report = lambda workers: None,
) -> dict[str, Any]:
    """Trains a policy from where its run directory stands.

    Args:
        vlm: The policy before training; changed in place.
        job: What to do.
        run: Where to write; a checkpoint in it is gone on from.
        screen: Told what happens.
        team: The processes that train together; the first of them writes.
        report: Called in the first process after the evaluation before, at every
            checkpoint and at the end.

    Returns:
        The content of summary.json; nothing but in the first process.

    Raises:
        MemoryError: If the largest step would not fit.
        FloatingPointError: If the gradient stays without a finite value.
    """
    start = time.perf_counter()
    with Workers(job.rollout.workers, team.local_size) as workers:
        learner = build_learner(vlm, job.algo)
        screen.show_parameters(vlm.count_parameters())
        done = find_newest(run.checkpoints)
        kept = [row for row in run.read_metrics() if row["step"] <= done]
        site = _Site(
            job=job,
            run=run,
            screen=screen,
            team=team,
            workers=workers,
            history=team.tell(kept),
            report=report,
        )
        feed = _rehearse(vlm, _make_scenes(site, done), site)
        before = _evaluate_once(vlm, site) if team.leads else {}
        load_checkpoint(learner, run.checkpoints)
        if team.leads:
            start -= run.rewind(done)
            if not done:
                run.show_evaluation("before", before, 0, job.videos)
        _learn(learner, feed, site, done, start)
        if not team.leads:
            return {}
        with learner.average.applied(vlm):
            after = _evaluate(vlm, site, "after")
        run.show_evaluation("after", after, job.steps, job.videos)
        write_whole(run.path / "final", lambda path: save_policy(learner, path))
        summary = {
            "env": job.source.name,
            "seed": job.seed,
            "steps": job.steps,
            "skipped": sum(row["skipped"] > 0 for row in run.read_metrics()),
            "seconds": round(time.perf_counter() - start, 3),
            "peak_gib": measure_peak_gib(),
            "before": before,
            "after": after,
            "paired": _compare(run, before),
        }
        run.write_json("summary.json", summary)
        report(workers)
    run.close()
    return summary


def _make_scenes(site: _Site, done: int) -> Iterator[list[Scene]]:
    """Yields this process's share of the scenes of each step that is left."""
    job, team = site.job, site.team

    def choose(step: int) -> tuple[SceneSource, Sequence[int]]:
        # Scenes are built a step ahead, when the step before is not known yet.
        known = [row for row in site.history if row["step"] < step - 1]
        names = allot(job.source.names, known, job.rollout.focus)
        seeds = choose_seeds(job.rollout.prompts, job.seed, step)
        return replace(job.source, names=names), team.share(seeds)

    return site.workers.make_mixed(map(choose, range(done + 1, job.steps + 1)))


def _rehearse(
    vlm: VLM, feed: Iterator[list[Scene]], site: _Site
) -> Iterator[list[Scene]]:
    """Tries the worst case of the first scenes; returns the same scenes again."""
    for scenes in feed:
        prompts = [build_prompt(scene.observation) for scene in scenes]
        rehearse(vlm, prompts, site.job, site.team.size)
        return chain([scenes], feed)
    return feed


def _learn(
    learner: Learner, feed: Iterator[list[Scene]], site: _Site, done: int, start: float
) -> None:
    """Takes the steps that are left and adds them to the history."""
    job, run, leads = site.job, site.run, site.team.leads
    skipped = _count_lost(site.history, job)
    with site.screen.task("training", job.steps, done) as bar:
        for step in range(done + 1, job.steps + 1):
            row, batch = _step(learner, feed, site, step)
            row["timing"]["elapsed_s"] = time.perf_counter() - start
            site.history.append(row)
            if leads:
                run.log_step(row)
            site.screen.show_step(bar, row)
            skipped = skipped + 1 if _is_lost(row, job) else 0
            if skipped == MAX_SKIPPED:
                _give_up(learner, batch, site, step)
            if leads and (step % job.checkpoint_every == 0 or step == job.steps):
                save_checkpoint(learner, run.checkpoints, step)
                site.report(site.workers)


def _is_lost(row: dict[str, Any], job: Job) -> bool:
    """Whether a step moved no weight because no gradient was finite."""
    return row["skipped"] == job.algo.num_iterations * job.algo.minibatches


def _count_lost(history: list[dict[str, Any]], job: Job) -> int:
    """How many steps a resumed run lost last, since it started or gave up."""
    lost = sum(1 for _ in takewhile(lambda row: _is_lost(row, job), reversed(history)))
    return lost % MAX_SKIPPED


def _step(
    learner: Learner, feed: Iterator[list[Scene]], site: _Site, step: int
) -> tuple[dict[str, Any], Batch]:
    """One step of GRPO; returns its line of metrics and what was learned from."""
    job, vlm, clock = site.job, learner.vlm, Clock()
    with clock.measure("step"):
        with clock.measure("scenes"):
            scenes = next(feed)
        referee = Referee(workers=site.workers, mix=job.mix, clock=clock)
        key = (job.seed, step)
        groups = collect(vlm, scenes, job.rollout, referee, key, site.team)
        with clock.measure("compare"):
            batch, advantages = build_batch(vlm, groups, job.algo, job.sampling)
        with clock.measure("update"):
            learned = _update(learner, batch, site, step)
        if site.team.leads:
            site.run.log_rollouts(step, groups, advantages)
    row = {
        "step": step,
        **describe(groups),
        "filtered": 1 - float(batch.signal.float().mean()),
        **asdict(learned),
        "timing": {
            **{f"{name}_s": spent for name, spent in clock.seconds.items()},
            "peak_gib": measure_peak_gib(),
        },
    }
    return row, batch


def _update(learner: Learner, batch: Batch, site: _Site, step: int) -> UpdateMetrics:
    """Moves the weights and their average."""
    job = site.job
    set_rates(learner.optimizer, job.algo, step, job.steps)
    seed = choose_seeds(1, job.seed, step, 1)[0]
    learned = update(
        learner.vlm,
        learner.optimizer,
        batch,
        job.algo,
        torch.Generator().manual_seed(seed),
        team=site.team,
        lanes=count_lanes(learner.vlm.model),
    )
    if not _is_lost(asdict(learned), job):
        learner.average.update(learner.vlm)
    return learned


def _give_up(learner: Learner, batch: Batch, site: _Site, step: int) -> NoReturn:
    """Leaves the weights, which no bad step has touched, and the batch; then stops."""
    run, good = site.run, step - MAX_SKIPPED
    checkpoint, bad = run.checkpoints / f"step_{step}", run.path / f"bad_step_{step}"
    if site.team.leads:
        save_checkpoint(learner, run.checkpoints, step)
        write_whole(bad, lambda path: save_batch(batch, path))
    site.team.tell("saved")  # one process that fails takes the others along
    raise FloatingPointError(
        f"loss or gradient is not finite in steps {good + 1} to {step}: the weights "
        f"of step {good} are in {checkpoint}, the batch of step {step} is in {bad}; "
        f"start from policy={checkpoint} with a lower algo.learning_rate, or go on "
        f"with other scenes by resume={run.path}"
    )


def _compare(run: RunDir, before: dict[str, Any]) -> dict[str, Any]:
    """Returns what training gained, scene by scene, if anything was executed."""
    kept = [run.read_evaluation(name) for name in ("before", "after")]
    if "success" not in before or not all(kept):
        return {}
    found = compare_solved(*map(list_solved, kept))
    return {name: pairs.to_row() for name, pairs in found.items()}


def _evaluate_once(vlm: VLM, site: _Site) -> dict[str, Any]:
    """Measures the policy before training, unless the run has done so."""
    before = site.run.read_json("before.json")
    if before is None:
        before = _evaluate(vlm, site, "before")
        site.run.write_json("before.json", before)
        site.report(site.workers)
    return before


def _evaluate(vlm: VLM, site: _Site, name: str) -> dict[str, Any]:
    """Measures the policy on held-out scenes and films its first rollouts."""
    job, screen = site.job, site.screen
    if not job.n:
        return {"n": 0}
    # Held-out seeds of their own: the same scenes whatever the run's seed, so that
    # runs can be compared, and `scripts/evaluate.py` repeats the figures.
    split = "test" if job.source.split == "train" else job.source.split
    exam = Exam(
        source=replace(job.source, split=split, varied=False),
        n=job.n,
        max_turns=job.rollout.max_turns,
    )
    log = site.run.open_evaluation(name)
    give_back()  # before the films, which come on top of what training has left
    with screen.task(f"evaluating {name}", job.n) as bar:
        evaluation, rollouts = evaluate(
            answer_greedily(vlm, job.rollout.max_new_tokens),
            exam,
            Referee(workers=site.workers, mix=job.mix),
            keep=job.videos,
            progress=lambda done: screen.move(bar, done),
            on_episode=log.add,
        )
        log.save()
        if rollouts:
            write_rollout_videos(rollouts, site.run.video(name))
    return {"split": split} | evaluation.to_row()
