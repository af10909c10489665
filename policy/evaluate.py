"""Held-out evaluation: greedy answers, executed; the paper's table plus success.

No answer is left out of an average: one that cannot be read counts as IoU 0 and as the
image's diagonal in every distance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from envs.answer import NORMALIZED, Codec, parse_answer
from envs.records import Outcome, ParseFailure, Plan, Reward
from envs.scene import Scene
from envs.suite import Suite
from policy.prompt import build_prompt
from policy.statistics import Estimate, estimate_mean, estimate_rate
from policy.vlm import VLM
from policy.workers import SceneSource, Workers
from rewards import Metrics, RewardMix, compute_metrics, score

BATCH = 50  # scenes at once: bounds memory, fills the cores
RATES = ("success", "parse_rate")
DISTANCES = ("dfd", "hd", "rmse", "average", "endpoint")  # 0..1000 units
SUCCESS_ONLY = RewardMix(weights={"success": 1.0}, name="success")

Answerer = Callable[[Sequence[Scene]], list[tuple[str, Codec]]]
"""From scenes to texts, each with the coordinates it is written in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One scene, answered once, executed and judged.

    Attributes:
        scene: The scene, as it was before the answer.
        text: What the policy said.
        answer: What it meant, or why it meant nothing.
        outcome: What happened.
        reward: What it earned.
    """

    scene: Scene
    text: str
    answer: Plan | ParseFailure
    outcome: Outcome
    reward: Reward


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of a policy on held-out scenes.

    Attributes:
        n: Scenes.
        figures: success (of all turns) and parse_rate (of the first answers, as all
            others), 0..1; iou (%), dfd, hd, rmse, their average and endpoint (0..1000
            units); no geometric ones for scenes without expert.
        failures: Why answers failed, and how often, most frequent first.
    """

    n: int
    figures: dict[str, Estimate]
    failures: dict[str, int]

    def to_row(self) -> dict[str, Any]:
        """Returns means, intervals and failures as plain data for JSON."""
        return {
            "n": self.n,
            **{name: round(e.mean, 6) for name, e in self.figures.items()},
            "intervals": {
                name: [round(e.low, 6), round(e.high, 6)]
                for name, e in self.figures.items()
            },
            "failures": self.failures,
        }


def answer_greedily(vlm: VLM, max_new_tokens: int) -> Answerer:
    """Returns a model as what it says when it does not guess."""

    def answer(scenes: Sequence[Scene]) -> list[tuple[str, Codec]]:
        prompts = [build_prompt(scene.observation) for scene in scenes]
        completions = vlm.sample(
            prompts, 1, temperature=0.0, max_new_tokens=max_new_tokens
        )
        return [
            (row[0].text, vlm.codec(prompt))
            for row, prompt in zip(completions, prompts, strict=True)
        ]

    return answer


def answer_scripted(baseline: Callable[[Scene], str]) -> Answerer:
    """Returns one of `policy.baselines` as an answerer."""
    return lambda scenes: [(baseline(scene), NORMALIZED) for scene in scenes]


def choose_seeds(n: int, *key: int) -> list[int]:
    """Returns n scene seeds that depend on `key` alone, e.g. (seed, step)."""
    return np.random.SeedSequence(key).generate_state(n).tolist()


def evaluate(
    answerer: Answerer,
    source: SceneSource,
    workers: Workers,
    *,
    n: int,
    seed: int = 0,
    keep: int = 0,
    mix: RewardMix = SUCCESS_ONLY,
    max_turns: int = 1,
    suite: Suite | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Evaluation, list[Attempt]]:
    """Answers n scenes and measures the answers.

    Args:
        answerer: The policy.
        source: Where the scenes come from.
        workers: They build and execute.
        n: Scenes.
        seed: Chooses them; equal seeds give equal scenes to every policy.
        suite: Frozen scenes; then the first n of its seeds are taken, and each scene
            must be the one that was frozen.
        keep: Of how many scenes to return the attempts, for videos.
        mix: Reward of the kept attempts.
        max_turns: Answers to a scene until one succeeds; each sees what the last left.
        progress: Told the number of scenes done after each batch.

    Returns:
        The figures, and the attempts at the first `keep` scenes, turn after turn.

    Raises:
        ValueError: If n or max_turns is below 1, n more than the suite has, or a scene
            is not the suite's.
    """
    if n < 1:
        raise ValueError(f"n is {n}; at least 1 scene needed")
    if max_turns < 1:
        raise ValueError(f"max_turns is {max_turns}; at least 1 needed")
    seeds = choose_seeds(n, seed) if suite is None else _take(suite, source, n)
    batches = [seeds[i : i + BATCH] for i in range(0, n, BATCH)]
    tally, kept = _Tally(), []
    for scenes in workers.make_scenes(source, batches):
        if suite is not None:
            suite.check(scenes)
        for episode in _play(answerer, scenes, workers, mix, max_turns):
            tally.add(episode)
            if tally.n <= keep:
                kept += episode
        progress(tally.n)
    return tally.summarize(), kept


def _take(suite: Suite, source: SceneSource, n: int) -> list[int]:
    seeds = suite.list_seeds(source.env, source.split)
    if source.shifts:
        raise ValueError(f"shifts={list(source.shifts)}: a suite has all axes shifted")
    if n > len(seeds):
        raise ValueError(f"n is {n}; the suite has {len(seeds)} of {source.env!r}")
    return seeds[:n]


def tabulate(rows: Sequence[dict[str, Any]]) -> Table:
    """Returns rows of evaluations as the paper's table, one column a row."""
    table = Table(caption="IoU in %, distances in 0..1000 units; 95 % intervals")
    table.add_column("policy\nenv, split, n")
    for row in rows:
        where = f"{row['env']}, {row['split']}, {row['n']}"
        table.add_column(f"{Path(row['policy']).name}\n{where}")
    for name in (*RATES, "iou", *DISTANCES):
        if any(name in row for row in rows):
            title = name.replace("_", " ")
            table.add_row(title, *(_format_figure(row, name) for row in rows))
    table.add_section()
    table.add_row("why answers failed", *(_format_failures(row) for row in rows))
    return table


def _format_figure(row: dict[str, Any], name: str) -> str:
    if name not in row:
        return "-"
    digits = 3 if name in RATES else 1
    low, high = row["intervals"][name]
    return f"{row[name]:.{digits}f}  [{low:.{digits}f}, {high:.{digits}f}]"


def _format_failures(row: dict[str, Any]) -> str:
    counts = [f"{count} {reason}" for reason, count in row["failures"].items()]
    return "\n".join(counts) or "-"


def _play(
    answerer: Answerer,
    scenes: Sequence[Scene],
    workers: Workers,
    mix: RewardMix,
    max_turns: int,
) -> list[list[Attempt]]:
    """Returns for each scene its attempts, the last one a success or the last turn."""
    episodes = [[attempt] for attempt in _attempt(answerer, scenes, workers, mix)]
    for _ in range(max_turns - 1):
        failed = [episode for episode in episodes if not episode[-1].outcome.success]
        pairs = [(episode[-1].scene, episode[-1].answer) for episode in failed]
        again = _attempt(answerer, workers.follow_up(pairs), workers, mix)
        for episode, attempt in zip(failed, again, strict=True):
            episode.append(attempt)
    return episodes


def _attempt(
    answerer: Answerer, scenes: Sequence[Scene], workers: Workers, mix: RewardMix
) -> list[Attempt]:
    if not scenes:
        return []
    said = answerer(scenes)
    answers = [parse_answer(text, codec) for text, codec in said]
    pairs = [(scene, [answer]) for scene, answer in zip(scenes, answers, strict=True)]
    outcomes = [group[0] for group in workers.simulate(pairs)]
    return [
        Attempt(
            scene=scene,
            text=text,
            answer=answer,
            outcome=outcome,
            reward=score(answer, scene.reference, outcome, mix),
        )
        for scene, (text, _), answer, outcome in zip(
            scenes, said, answers, outcomes, strict=True
        )
    ]


class _Tally:
    """Keeps figures, not scenes: 400 of those are a quarter of a gigabyte."""

    def __init__(self) -> None:
        self.success: list[bool] = []
        self.parsed: list[bool] = []
        self.metrics: list[Metrics] = []
        self.failures: Counter[str] = Counter()

    @property
    def n(self) -> int:
        return len(self.success)

    def add(self, episode: Sequence[Attempt]) -> None:
        first, outcome = episode[0], episode[-1].outcome
        self.success.append(outcome.success)
        self.parsed.append(isinstance(first.answer, Plan))
        if first.scene.reference is not None:
            self.metrics.append(compute_metrics(first.answer, first.scene.reference))
        if not outcome.success:
            self.failures[outcome.reason] += 1

    def summarize(self) -> Evaluation:
        figures = {
            "success": estimate_rate(self.success),
            "parse_rate": estimate_rate(self.parsed),
        }
        if self.metrics:
            figures["iou"] = estimate_mean([100 * m.iou for m in self.metrics])
            for name in DISTANCES:
                values = [1000 * _read_distance(m, name) for m in self.metrics]
                figures[name] = estimate_mean(values)
        failures = dict(self.failures.most_common())
        return Evaluation(n=self.n, figures=figures, failures=failures)


def _read_distance(metrics: Metrics, name: str) -> float:
    if name == "average":  # the paper's "average error"
        return (metrics.dfd + metrics.hd + metrics.rmse) / 3
    return getattr(metrics, name)
