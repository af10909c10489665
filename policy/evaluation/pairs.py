"""Two policies on the same scenes: what one gains over the other, scene by scene.

The scenes that both solve or both fail say nothing about which is better, so the pairs
that differ decide: McNemar's exact test asks whether as many were gained as lost. An
interval of the paired difference is narrower than those of the two rates, because an
easy scene is easy for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from scipy.stats import binomtest, norm


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What the second of two policies gains over the first.

    Attributes:
        n: Scenes that both answered.
        gained: Scenes that only the second solves.
        lost: Scenes that only the first solves.
        difference: Rate of the second less that of the first, -1..1.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        p_value: How likely so uneven a split of gained and lost would be, if either
            were as likely as the other.
    """

    n: int
    gained: int
    lost: int
    difference: float
    low: float
    high: float
    p_value: float

    def to_row(self) -> dict[str, Any]:
        """Returns plain data for JSON."""
        rounded = {n: round(getattr(self, n), 6) for n in ("difference", "low", "high")}
        return asdict(self) | rounded | {"p_value": float(f"{self.p_value:.3g}")}


def compare_pairs(before: Sequence[bool], after: Sequence[bool]) -> Pairs:
    """Compares successes on the same scenes, in the same order.

    Raises:
        ValueError: If there are no scenes, or not as many of both.
    """
    n = len(before)
    if n != len(after) or not n:
        raise ValueError(f"{n} scenes before, {len(after)} after: nothing to pair")
    gained = sum(bool(y and not x) for x, y in zip(before, after, strict=True))
    lost = sum(bool(x and not y) for x, y in zip(before, after, strict=True))
    low, high = _bound_difference(gained / n, lost / n, n)
    differ = gained + lost
    return Pairs(
        n=n,
        gained=gained,
        lost=lost,
        difference=(gained - lost) / n,
        low=low,
        high=high,
        p_value=float(binomtest(gained, differ).pvalue) if differ else 1.0,
    )


def compare_solved(
    before: Mapping[str, Sequence[bool]], after: Mapping[str, Sequence[bool]]
) -> dict[str, Pairs]:
    """Compares successes on all scenes and, of several kinds of scenes, on each.

    Args:
        before: By kind of scene, successes in the order of the scenes.
        after: Those of the other policy on the same scenes.

    Returns:
        By name of the figure: `success`, and `success/<scene>` of several.
    """
    kinds = sorted(before)
    every = [[done for kind in kinds for done in row[kind]] for row in (before, after)]
    found = {"success": compare_pairs(*every)}
    if len(kinds) > 1:
        for kind in kinds:
            found[f"success/{kind}"] = compare_pairs(before[kind], after[kind])
    return found


def keep_shared(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[list[Mapping[str, Any]]]:
    """Returns the rows of the scenes that both have; one may lack what was put aside.

    Args:
        before: Rows of `evaluations/*.jsonl`.
        after: Those of the other policy, in the same order.
    """
    both = [{(row["env"], row["seed"]) for row in rows} for rows in (before, after)]
    shared = set.intersection(*both)
    return [
        [row for row in rows if (row["env"], row["seed"]) in shared]
        for rows in (before, after)
    ]


def list_solved(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[bool]]:
    """Returns which scenes of `evaluations/*.jsonl` succeeded, by kind, in order.

    Annotated images, in which nothing is executed, are passed over.

    Args:
        rows: A row a turn; the last of a scene tells how it ended.
    """
    solved: dict[str, list[bool]] = {}
    for row in rows:
        if row.get("reason", "") is None:
            continue
        of_kind = solved.setdefault(row["env"], [])
        if row["turn"] > 1:
            of_kind.pop()
        of_kind.append(row["success"])
    return solved


def _bound_difference(gained: float, lost: float, n: int) -> tuple[float, float]:
    """Bonett and Price's interval (2012): Wald's, with a scene more gained and lost.

    Without them it has no width where nothing differs and covers far less than 95 % of
    few scenes. In simulations of 10 to 400 scenes it covered at least 95 % throughout;
    Agresti and Min's interval and Newcombe's, hardly narrower with hundreds of scenes,
    cover as little as 92 % where nearly all scenes end alike.
    """
    gained, lost = ((rate * n + 1) / (n + 2) for rate in (gained, lost))
    middle = gained - lost
    half = norm.ppf(0.975) * sqrt((gained + lost - middle**2) / (n + 2))
    return max(float(middle - half), -1.0), min(float(middle + half), 1.0)
