"""Tables of a report: figures before and after, by scene, by factor, by reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policy.evaluation.pairs import Pairs, compare_pairs
from policy.evaluation.statistics import Estimate, estimate_rate
from policy.report.run import Row, Run
from policy.report.scenes import Case, group_by

FEWEST = 8  # scenes of a row by factor: fewer say nothing
BINS = 3  # of a factor that is a number
MOST_ROWS = 8  # of a factor that is a word
# Name, unit, digits, and whether more is better.
FIGURES = {
    "success": ("success", "", 3, True),
    "parse_rate": ("answers that parse", "", 3, True),
    "iou": ("box IoU", "%", 1, True),
    "dfd": ("Fréchet distance", "/1000", 1, False),
    "hd": ("Hausdorff distance", "/1000", 1, False),
    "rmse": ("RMSE", "/1000", 1, False),
    "average": ("average error", "/1000", 1, False),
    "endpoint": ("end point", "/1000", 1, False),
}
# How factors are measured, where their names do not say it.
UNITS = {
    "camera azimuth": "degrees",
    "camera elevation": "degrees",
    "camera distance": "m",
    "target across": "0 left, 1 right",
    "target area": "% of the image",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """One figure of several evaluations.

    Attributes:
        title: Its name.
        unit: Its unit.
        digits: After the point.
        values: One an evaluation, None where it has none.
        better: Of two: whether the second is better; None if equal or not two.
    """

    title: str
    unit: str
    digits: int
    values: list[Estimate | None]
    better: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRow:
    """Success of some of the scenes.

    Attributes:
        title: Which.
        n: How many.
        rates: One a policy.
        pairs: The paired comparison, of two policies.
    """

    title: str
    n: int
    rates: list[Estimate]
    pairs: Pairs | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason of failure.

    Attributes:
        name: The reason.
        counts: How often each policy failed for it.
        example: A scene to see it in.
        shown: Whose attempt at it failed so.
    """

    name: str
    counts: list[int]
    example: Case
    shown: int


def list_figures(run: Run) -> list[FigureRow]:
    """Returns the figures of a run's evaluations, those that it has."""
    keys = dict.fromkeys(key for row in run.figures.values() for key in row)
    found = []
    for name, (title, unit, digits, more) in FIGURES.items():
        # Of each source, where images stand beside scenes; success has a table.
        own = [key for key in keys if key.startswith(f"{name}/") and name != "success"]
        for key in [key for key in (name, *own) if key in keys]:
            source = key.partition("/")[2]
            values = [_read_estimate(figures, key) for figures in run.figures.values()]
            row = FigureRow(
                title=f"{title}, {source}" if source else title,
                unit=unit,
                digits=digits,
                values=values,
                better=_compare(values, more),
            )
            found.append(row)
    return found


def rate_cases(title: str, cases: Sequence[Case]) -> RateRow:
    """Returns the success of each policy on some scenes."""
    done = [[c.attempts[i].success for c in cases] for i in range(_count(cases))]
    return RateRow(
        title=title,
        n=len(cases),
        rates=[estimate_rate(column) for column in done],
        pairs=compare_pairs(*done) if len(done) == 2 else None,
    )


def rate_by_scene(cases: Sequence[Case]) -> list[RateRow]:
    """Returns success by kind of scene; nothing where there is one kind."""
    groups = group_by(cases, lambda case: case.first["env"])
    if len(groups) < 2:
        return []
    return [rate_cases(name, groups[name]) for name in sorted(groups)]


def rate_by_factor(cases: Sequence[Case]) -> dict[str, list[RateRow]]:
    """Returns success by each random factor that varies enough to tell."""
    names = dict.fromkeys(n for case in cases for n in case.first.get("factors", {}))
    tables = {name: _rate_factor(name, cases) for name in names}
    units = {name: f" [{UNITS[name]}]" if name in UNITS else "" for name in names}
    return {name + units[name]: rows for name, rows in tables.items() if len(rows) > 1}


def list_reasons(cases: Sequence[Case]) -> list[Reason]:
    """Returns why policies failed, the most frequent reason of the last one first."""
    columns = range(_count(cases))
    found = {a.reason for case in cases for a in case.attempts if not a.success}
    reasons = []
    for name in found:
        counts = [sum(_failed(case, i, name) for case in cases) for i in columns]
        last = max(i for i in columns if counts[i])
        example = next(case for case in cases if _failed(case, last, name))
        reasons.append(Reason(name=name, counts=counts, example=example, shown=last))
    return sorted(reasons, key=lambda r: ([-n for n in reversed(r.counts)], r.name))


def _failed(case: Case, policy: int, reason: str) -> bool:
    attempt = case.attempts[policy]
    return not attempt.success and attempt.reason == reason


def _count(cases: Sequence[Case]) -> int:
    return len(cases[0].attempts) if cases else 0


def _read_estimate(figures: Row, key: str) -> Estimate | None:
    if key not in figures:
        return None
    low, high = figures["intervals"][key]
    return Estimate(mean=figures[key], low=low, high=high)


def _compare(values: Sequence[Estimate | None], more: bool) -> bool | None:
    if len(values) != 2 or values[0] is None or values[1] is None:
        return None
    difference = values[1].mean - values[0].mean
    return None if difference == 0 else (difference > 0) == more


def _rate_factor(name: str, cases: Sequence[Case]) -> list[RateRow]:
    known = [case for case in cases if name in case.first.get("factors", {})]
    values = {case.first["factors"][name] for case in known}
    parts = group_by(known, lambda case: str(case.first["factors"][name]))
    if not any(isinstance(value, str) for value in values):
        few = len(values) <= BINS + 2
        parts = (
            dict(sorted(parts.items(), key=_to_number)) if few else _cut(name, known)
        )
    rows = [rate_cases(k, part) for k, part in parts.items() if len(part) >= FEWEST]
    return rows[:MOST_ROWS]


def _to_number(part: tuple[str, list[Case]]) -> float:
    return float(part[0])


def _cut(name: str, cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Cases in about equal parts along a number, each named by its ends."""
    values = [case.first["factors"][name] for case in cases]
    edges = np.quantile(values, np.linspace(0, 1, BINS + 1))[1:-1]
    parts = np.searchsorted(edges, values, "right")
    named = {}
    for part in np.unique(parts):
        inside = [
            (v, c) for v, c, p in zip(values, cases, parts, strict=True) if p == part
        ]
        numbers = [value for value, _ in inside]
        low, high = f"{min(numbers):.3g}", f"{max(numbers):.3g}"
        title = low if low == high else f"{low} to {high}"
        named[title] = [case for _, case in inside]
    return named
