"""The training loop.

    before, [scenes -> answers -> outcomes -> rewards -> advantages -> update], after

Every step's scenes and samples follow from the run's seed and the step's number, so
a run that was killed and resumed writes what an undisturbed one would.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain, takewhile
from typing import Any, NoReturn

import torch

from envs.scene import AnyScene
from policy.grpo.batch import Batch, UpdateMetrics
from policy.grpo.credit import build_batch
from policy.grpo.grpo import update
from policy.grpo.optimizer import set_rates
from policy.model.prompt import build_prompt
from policy.model.vlm import VLM
from policy.rollout.collect import collect
from policy.rollout.crew import LostWork
from policy.rollout.curriculum import allot
from policy.rollout.figures import describe
from policy.rollout.mixed_source import Source, list_kinds
from policy.rollout.play import Referee
from policy.rollout.scene_source import choose_seeds
from policy.rollout.workers import Workers
from policy.runtime.clock import Clock
from policy.runtime.distributed import ALONE, Team
from policy.runtime.lanes import count_lanes
from policy.runtime.memory import measure_peak_gib
from policy.runtime.whole import write_whole
from policy.training.checkpoint import (
    Learner,
    build_learner,
    load_checkpoint,
    save_checkpoint,
    save_policy,
)
from policy.training.evidence import save_batch
from policy.training.job import Job
from policy.training.measure import compare, measure, measure_once
from policy.training.progress import Screen
from policy.training.rehearsal import rehearse
from policy.training.run_dir import RunDir
from policy.training.site import Report, Site
from policy.training.stop import Stopped, StopSignals

MAX_SKIPPED = 3  # steps in a row without a finite gradient: more means divergence


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
        LostWork: If all scenes of a step were put aside.
        Stopped: If a signal asked for it; there is a checkpoint of the last step.
    """
    start = time.perf_counter()
    # A cluster that is joined has other machines, and trainings on them, too.
    sharers = team.size if job.rollout.address else team.local_size
    workers, stop = Workers.of(job.rollout, sharers), StopSignals()
    with workers, stop:
        learner = build_learner(vlm, job.algo)
        counts = vlm.count_parameters()
        screen.show_parameters(counts)
        if doubt := job.doubt_rates(counts):
            screen.say(f"warning: {doubt}")
        done = team.tell(_find_start(job, run, screen) if team.leads else 0)
        kept = [row for row in run.history.read() if row["step"] <= done]
        site = Site(
            job=job,
            run=run,
            screen=screen,
            team=team,
            workers=workers,
            history=team.tell(kept),
            stop=stop,
            report=report,
        )
        feed = _rehearse(vlm, _make_scenes(site, done), site)
        if team.leads:
            start -= run.history.rewind(done)
        before = measure_once(vlm, site) if team.leads else {}
        load_checkpoint(learner, run.checkpoints, done)
        if team.leads and not done:
            run.show_evaluation("before", before, 0, job.videos)
        _learn(learner, feed, site, done, start)
        if not team.leads:
            return {}
        with learner.average.applied(vlm):
            after = measure(vlm, site, "after")
        # Of the step after the last: a run that is gone on with measures again.
        run.history.add_aside(job.steps + 1, site.list_own_aside())
        run.show_evaluation("after", after, job.steps, job.videos)
        write_whole(run.path / "final", lambda path: save_policy(learner, path))
        summary = {
            "env": job.source.name,
            "seed": job.seed,
            "steps": job.steps,
            "skipped": sum(row["skipped"] > 0 for row in run.history.read()),
            "seconds": round(time.perf_counter() - start, 3),
            "peak_gib": measure_peak_gib(),
            "before": before,
            "after": after,
            "paired": compare(run),
        }
        run.write_json("summary.json", summary)
        report(workers)
    return summary


def _find_start(job: Job, run: RunDir, screen: Screen) -> int:
    """Returns the step that the run goes on from, 0 if it starts."""
    done = run.find_start(screen.say)
    run.history.check(done, job.checkpoint_every)
    return done


def _make_scenes(site: Site, done: int) -> Iterator[list[AnyScene]]:
    """Yields this process's share of the scenes of each step that is left."""
    job, team = site.job, site.team

    def choose(step: int) -> tuple[Source, Sequence[int]]:
        # Scenes are built a step ahead, when the step before is not known yet.
        known = [row for row in site.history if row["step"] < step - 1]
        names = allot(job.source.names, known, job.rollout.focus)
        seeds = job.source.choose_seeds(job.rollout.prompts, job.seed, step)
        return job.source.with_names(names), team.share(seeds)

    return site.workers.make_mixed(map(choose, range(done + 1, job.steps + 1)))


def _rehearse(
    vlm: VLM, feed: Iterator[list[AnyScene]], site: Site
) -> Iterator[list[AnyScene]]:
    """Tries the worst case of the first scenes; returns the same scenes again."""
    for scenes in feed:
        prompts = [build_prompt(scene.observation) for scene in scenes]
        if prompts:  # more processes than prompts: some have none
            rehearse(vlm, prompts, site.job, site.team.size)
        return chain([scenes], feed)
    return feed


def _learn(
    learner: Learner,
    feed: Iterator[list[AnyScene]],
    site: Site,
    done: int,
    start: float,
) -> None:
    """Takes the steps that are left and adds them to the history."""
    job, run, leads = site.job, site.run, site.team.leads
    skipped = _count_lost(site.history)
    with site.screen.task("training", job.steps, done) as bar:
        for step in range(done + 1, job.steps + 1):
            row, batch = _step(learner, feed, site, step)
            row["timing"]["elapsed_s"] = time.perf_counter() - start
            site.history.append(row)
            if leads:
                run.log_step(row)
            site.screen.show_step(bar, row)
            skipped = skipped + 1 if _is_lost(row) else 0
            if skipped == MAX_SKIPPED:
                _give_up(learner, batch, site, step)
            asked = site.team.tell(site.stop.number)  # all stop at the same step
            due = step % job.checkpoint_every == 0 or step == job.steps
            if leads and (due or asked):
                _save(learner, site, step)
                site.report(site.workers)
            if asked:
                raise Stopped(asked)


def _save(learner: Learner, site: Site, step: int) -> None:
    """Writes a checkpoint after everything that it must not be ahead of."""
    run = site.run
    run.history.flush()
    config, keep = run.digest_config(), site.job.keep
    save_checkpoint(learner, run.checkpoints, step, config=config, keep=keep)


def _is_lost(row: dict[str, Any]) -> bool:
    """Whether a step moved no weight because no gradient was finite."""
    return row["skipped"] > 0 and not row.get("taken")


def _count_lost(history: list[dict[str, Any]]) -> int:
    """How many steps a resumed run lost last, since it started or gave up."""
    lost = sum(1 for _ in takewhile(_is_lost, reversed(history)))
    return lost % MAX_SKIPPED


def _step(
    learner: Learner, feed: Iterator[list[AnyScene]], site: Site, step: int
) -> tuple[dict[str, Any], Batch]:
    """One step of GRPO; returns its line of metrics and what was learned from."""
    job, vlm, clock = site.job, learner.vlm, Clock()
    with clock.measure("step"):
        with clock.measure("scenes"):
            scenes = next(feed)
        referee = Referee(
            workers=site.workers, mix=job.mix, picture_mix=job.picture_mix, clock=clock
        )
        key = (job.seed, step)
        groups = collect(vlm, scenes, job.rollout, referee, key, site.team)
        aside = site.list_aside()
        if site.team.leads:
            site.run.history.add_aside(step, aside)
        if not groups:
            raise LostWork(f"no scene of step {step} could be made: {aside[-1]}")
        with clock.measure("compare"):
            batch, advantages = build_batch(vlm, groups, job.algo, job.sampling)
        with clock.measure("update"):
            learned = _update(learner, batch, site, step)
        if site.team.leads:
            site.run.history.add_rollouts(step, groups, advantages)
    row = {
        "step": step,
        **describe(groups, list_kinds(job.source)),
        "filtered": 1 - float(batch.signal.float().mean()),
        **asdict(learned),
        "put_aside": len(aside),
        "timing": {
            **{f"{name}_s": spent for name, spent in clock.seconds.items()},
            "peak_gib": measure_peak_gib(),
        },
    }
    return row, batch


def _update(learner: Learner, batch: Batch, site: Site, step: int) -> UpdateMetrics:
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
    if not _is_lost(asdict(learned)):
        learner.average.update(learner.vlm)
    return learned


def _give_up(learner: Learner, batch: Batch, site: Site, step: int) -> NoReturn:
    """Leaves the weights, which no bad step has touched, and the batch; then stops."""
    run, good = site.run, step - MAX_SKIPPED
    checkpoint, bad = run.checkpoints / f"step_{step}", run.path / f"bad_step_{step}"
    if site.team.leads:
        _save(learner, site, step)
        write_whole(bad, lambda path: save_batch(batch, path))
    site.team.tell("saved")  # one process that fails takes the others along
    raise FloatingPointError(
        f"loss or gradient is not finite in steps {good + 1} to {step}: the weights "
        f"of step {good} are in {checkpoint}, the batch of step {step} is in {bad}; "
        f"start from policy={checkpoint} with a lower algo.learning_rate, or go on "
        f"with other scenes by resume={run.path}"
    )
