"""What rollouts of held-out scenes amount to: the paper's table plus success.

No answer is left out of an average: one that cannot be read counts as IoU 0 and as the
image's diagonal in every distance. A part of a plan, which is not executed, has the
figures that measure it and no success.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from envs.records import Affordance, ParseFailure, Trajectory
from envs.rollout import Rollout
from policy.evaluation.statistics import (
    Estimate,
    describe_estimates,
    estimate_mean,
    estimate_rate,
)
from rewards import Metrics, compute_metrics

RATES = ("success", "parse_rate")
SOURCE_FIGURES = ("parse_rate", "iou", "average")  # of each, where they are mixed
DISTANCES = ("dfd", "hd", "rmse", "average", "endpoint")  # 0..1000 units


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures of a policy on held-out scenes.

    Attributes:
        n: Scenes.
        figures: success (of all turns) and parse_rate (of the first answers, as all
            others), 0..1; iou (%), dfd, hd, rmse, their average and endpoint (0..1000
            units); no geometric ones for scenes without expert, and of a part of a
            plan those that measure it; of several kinds of scenes also the success
            of each, `success/<scene>`. Where annotated images stand beside scenes,
            success is of the scenes, and each source has its `parse_rate/<source>`,
            `iou/<source>` and `average/<source>`.
        failures: Why answers failed, and how often, most frequent first.
        solved: Whether each scene succeeded, by kind and seed, to compare with what
            another policy solved (`policy.evaluation.pairs`).
    """

    n: int
    figures: dict[str, Estimate]
    failures: dict[str, int]
    solved: dict[str, dict[int, bool]]

    def to_row(self) -> dict[str, Any]:
        """Returns means, intervals and failures as plain data for JSON."""
        return {
            "n": self.n,
            **describe_estimates(self.figures),
            "failures": self.failures,
        }


class Tally:
    """Keeps figures, not scenes: 400 of those are a quarter of a gigabyte.

    Args:
        answer: What all scenes ask for, one of `envs.records.ANSWERS`.
    """

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.solved: dict[str, dict[int, bool]] = {}
        self.parsed: list[bool] = []
        self.metrics: list[Metrics] = []
        self.sources: list[tuple[str, bool, Metrics | None]] = []
        self.failures: Counter[str] = Counter()

    @property
    def n(self) -> int:
        """Scenes so far."""
        return len(self.parsed)

    def add(self, episode: Sequence[Rollout]) -> None:
        """Counts a scene: its rollouts, turn after turn."""
        first, last = episode[0], episode[-1]
        self.parsed.append(not isinstance(first.answer, ParseFailure))
        if last.outcome is not None:
            of_kind = self.solved.setdefault(first.scene.name, {})
            of_kind[first.scene.seed] = last.outcome.success
        metrics = None
        if first.scene.reference is not None:
            metrics = compute_metrics(first.answer, first.scene.reference)
            self.metrics.append(metrics)
        self.sources.append((first.scene.name, self.parsed[-1], metrics))
        if not last.succeeded:
            self.failures[last.reason] += 1

    def summarize(self) -> Evaluation:
        """Returns the figures of all scenes so far."""
        figures = {"parse_rate": estimate_rate(self.parsed)}
        if self.solved:
            every = [done for row in self.solved.values() for done in row.values()]
            figures = {"success": estimate_rate(every)} | figures
        if len(self.solved) > 1:
            for name, row in sorted(self.solved.items()):
                figures[f"success/{name}"] = estimate_rate([*row.values()])
        figures |= self._measure(self.metrics)
        if self.solved and self.solved.keys() < {name for name, *_ in self.sources}:
            figures |= self._tell_apart()
        failures = dict(self.failures.most_common())
        return Evaluation(
            n=self.n, figures=figures, failures=failures, solved=self.solved
        )

    def _measure(self, metrics: Sequence[Metrics]) -> dict[str, Estimate]:
        """The geometric figures of some answers."""
        figures = {}
        if metrics and self.answer != Trajectory.kind:
            figures["iou"] = estimate_mean([100 * m.iou for m in metrics])
        if metrics and self.answer != Affordance.kind:
            for name in DISTANCES:
                values = [1000 * _read_distance(m, name) for m in metrics]
                figures[name] = estimate_mean(values)
        return figures

    def _tell_apart(self) -> dict[str, Estimate]:
        """The figures of each source, where images stand beside scenes."""
        figures = {}
        for source in sorted({name for name, _, _ in self.sources}):
            rows = [row for row in self.sources if row[0] == source]
            own = {"parse_rate": estimate_rate([parsed for _, parsed, _ in rows])}
            own |= self._measure([m for _, _, m in rows if m is not None])
            figures |= {f"{k}/{source}": own[k] for k in SOURCE_FIGURES if k in own}
        return figures


def _read_distance(metrics: Metrics, name: str) -> float:
    if name == "average":  # the paper's "average error"
        return (metrics.dfd + metrics.hd + metrics.rmse) / 3
    return getattr(metrics, name)
