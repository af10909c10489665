"""Stages of a whole GRPO step, with the configured update, sampling and reward."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from envs.answer import PARSERS
from envs.execution.execute import prepare
from envs.execution.motion import Motion
from envs.records import Plan
from envs.scene import Scene
from policy.grpo.batch import Sampling
from policy.grpo.credit import build_batch
from policy.grpo.grpo import update
from policy.grpo.optimizer import set_rates
from policy.records import Group
from policy.rollout.collect import collect
from policy.rollout.config import RolloutConfig
from policy.rollout.play import Referee
from policy.runtime.clock import Clock
from policy.runtime.lanes import count_lanes
from policy.runtime.memory import measure_peak_gib
from policy.training.checkpoint import Learner, build_learner

from .figures import Figures, summarise, summarise_rows
from .stopwatch import Stopwatch, watch
from .workload import Workload, count_sampling_lanes, watch_sampling


def measure_step(work: Workload) -> Figures:
    """Returns seconds of each stage of the configured step, and what they come to.

    Scenes are built beside the step before, which slows what runs meanwhile; `scenes`
    is the wait for them. `read` turns tokens into text.
    """
    learner, count = build_learner(work.load(), work.algo), work.rollout.prompts
    batches = [range(i * count, (i + 1) * count) for i in range(work.size.rounds + 1)]
    steps = work.workers.make_scenes(work.source, batches)
    lanes, rounds = count_sampling_lanes(learner.vlm, count), []
    for _ in batches:
        clock = Stopwatch(lanes)
        with clock.measure("scenes"):
            scenes = next(steps)
        groups = run_step(learner, scenes, work, work.rollout, clock)
        rounds.append((clock.seconds, groups))
    return _describe(rounds[1:])  # the first warms up


def run_step(
    learner: Learner,
    scenes: Sequence[Scene],
    work: Workload,
    rollout: RolloutConfig,
    clock: Clock,
) -> list[Group]:
    """Answers scenes, executes the answers and learns from them."""
    vlm = learner.vlm
    parse = {"parse": (PARSERS, work.source.answer)}
    with watch_sampling(clock, vlm), watch(clock, parse):
        referee = Referee(workers=work.workers, mix=work.mix, clock=clock)
        groups = collect(vlm, scenes, rollout, referee, (0,))
    sampling = Sampling(
        temperature=rollout.temperature, max_new_tokens=rollout.max_new_tokens
    )
    with clock.measure("compare"):
        batch, _ = build_batch(vlm, groups, work.algo, sampling)
    set_rates(learner.optimizer, work.algo, step=1, steps=1)
    with clock.measure("update"):
        update(
            vlm,
            learner.optimizer,
            batch,
            work.algo,
            torch.Generator().manual_seed(0),
            lanes=count_lanes(vlm.model),
        )
    return groups


def _describe(rounds: Sequence[tuple[dict[str, float], list[Group]]]) -> Figures:
    stages = [_name(seconds) for seconds, _ in rounds]
    whole = [sum(row.values()) for row in stages]
    shares = [row["simulate"] / t for row, t in zip(stages, whole, strict=True)]
    counts = [_count(groups) for _, groups in rounds]
    rates = [
        {
            "samples_per_s": answers / total,
            "tokens_per_s": tokens / row["decode"],
            "simulation_steps_per_s": steps / row["simulate"],
        }
        for (answers, tokens, steps), row, total in zip(
            counts, stages, whole, strict=True
        )
    ]
    return {
        **summarise_rows(stages, "stages."),
        "step_s": summarise(whole),
        "simulate_share": summarise(shares),
        **summarise_rows(rates),
        "peak_gib": summarise([measure_peak_gib()]),
    }


def _name(seconds: dict[str, float]) -> dict[str, float]:
    """Renames the clock's stages: what is left of sampling is reading tokens."""
    names = {"sample": "read", "judge": "score"}
    return {names.get(name, name): spent for name, spent in seconds.items()}


def _count(groups: Sequence[Group]) -> tuple[int, int, int]:
    """Returns answers, tokens, and physics steps of the plans that were executed."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    tokens = sum(len(rollout.completion.token_ids) for rollout in rollouts)
    return len(rollouts), tokens, sum(_count_steps(group) for group in groups)


def _count_steps(group: Group) -> int:
    assert isinstance(group.scene, Scene)
    plans = {r.answer for r in group.rollouts if isinstance(r.answer, Plan)}
    motions = prepare(group.scene, list(plans))
    return sum(len(m.control) for m in motions if isinstance(m, Motion))
