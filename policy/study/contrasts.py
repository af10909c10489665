"""What one way of training gains over another, from runs of several seeds.

Both are measured on the same frozen scenes, so they are compared scene by scene. An
interval has to cover other scenes and other trainings (`policy.study.crossed`). With
one seed it covers other scenes alone, and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policy.evaluation.pairs import compare_pairs
from policy.evaluation.statistics import Estimate, estimate_rate
from policy.study.crossed import estimate_sum
from policy.study.ledger import Row
from policy.study.plan import ASIDE, MEASURES, TRAININGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The runs of one name.

    Attributes:
        name: As in the question's file.
        training: The name of the run whose training it measures: its own, or that of
            another that it measures again.
        solved: [S, N] whether each of S trainings solves each of N scenes, or what
            else is measured of it; nan of scenes that were put aside.
        figures: Mean of each figure over trainings and kinds of scenes.
        trained: Whether another seed is another training, here or of what it measures.
        smoothness: Of the answers of the last quarter of training, mean; nan without.
        contact_force: The same of the gentleness of contact.
    """

    name: str
    training: str
    solved: NDArray[np.float64]
    figures: Mapping[str, float]
    trained: bool
    smoothness: float
    contact_force: float

    @property
    def seeds(self) -> int:
        """Trainings."""
        return len(self.solved)

    @property
    def scenes(self) -> int:
        """Scenes that each was measured on."""
        return self.solved.shape[1]


def read_variants(
    rows: Sequence[Mapping[str, Any]], by: str = "success"
) -> dict[str, Variant]:
    """Returns finished runs by name, in the order in which they were first done.

    Args:
        rows: Of the ledger.
        by: What is measured, one of `policy.study.plan.MEASURES`.
    """
    names = dict.fromkeys(row["run"]["name"] for row in rows)
    return {n: _read([r for r in rows if r["run"]["name"] == n], by) for n in names}


def keep_scenes(rows: Sequence[Row], env: str) -> Sequence[Row]:
    """Returns rows with what was measured on one kind of scene; "" keeps all."""

    def keep(row: Row) -> Row:
        figures = row["found"]["figures"].items()
        kept = {kind: one for kind, one in figures if kind.partition("/")[0] == env}
        return {**row, "found": {**row["found"], "figures": kept}}

    return [keep(row) for row in rows] if env else rows


def _read(rows: Sequence[Mapping[str, Any]], by: str) -> Variant:
    rows = sorted(rows, key=lambda row: row["run"]["seed"])
    figures = [row["found"]["figures"] for row in rows]
    kinds = [one for row in figures for one in row.values()]
    run, (key, _) = rows[0]["run"], MEASURES[by]
    again = run.get("compose", ())
    known = [name for name in ("success", "iou", "average", "parse_rate") if kinds]
    return Variant(
        name=run["name"],
        training=again[0]["name"] if len(again) == 1 else run["name"],
        solved=np.array(
            [_read_digits(one[key] for one in r.values()) for r in figures]
        ),
        figures={n: float(np.mean([one[n] for one in kinds])) for n in known},
        trained=any(run.get(name) is not None for name in TRAININGS),
        smoothness=_read_end(rows, "smoothness"),
        contact_force=_read_end(rows, "contact_force"),
    )


def _read_digits(rows: Iterable[str]) -> list[float]:
    return [np.nan if digit == ASIDE else float(digit) for digit in "".join(rows)]


def _read_end(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    curves = [row["found"].get("curves", {}).get(name, []) for row in rows]
    # Where nothing is executed a curve is of zeros.
    ends = [curve[-max(1, len(curve) // 4) :] for curve in curves if any(curve)]
    return float(np.mean([np.mean(end) for end in ends])) if ends else float("nan")


def keep_known(*variants: Variant) -> list[Variant]:
    """Returns variants on the scenes that none of their trainings put aside.

    Raises:
        ValueError: They were measured on different scenes.
    """
    if len({one.scenes for one in variants}) > 1:
        sizes = ", ".join(f"{one.name} on {one.scenes} scenes" for one in variants)
        raise ValueError(f"measured were {sizes}: nothing to compare")
    known = ~np.isnan(np.concatenate([one.solved for one in variants])).any(0)
    return [replace(one, solved=one.solved[:, known]) for one in variants]


def estimate_success(variant: Variant) -> Estimate:
    """Returns the success of trainings of a kind, with its interval."""
    [variant] = keep_known(variant)
    found = estimate_sum(variant.solved) if variant.seeds > 1 else None
    return clip(found, 0.0) if found else estimate_rate(variant.solved[0] > 0)


def compare_variants(first: Variant, second: Variant) -> Estimate:
    """Returns how much more scenes the first kind of training solves than the second.

    Args:
        first: On scenes that both know (`keep_known`).
        second: The same.
    """
    blocks = (first.solved, -second.solved)
    if first.training == second.training and first.seeds == second.seeds:
        blocks = (first.solved - second.solved,)  # the same trainings, asked twice
    found = estimate_sum(*blocks) if max(first.seeds, second.seeds) > 1 else None
    return clip(found, -1.0) if found else _compare_once(first, second)


def clip(estimate: Estimate, least: float) -> Estimate:
    """Returns an estimate whose interval keeps to what there can be, `least` to 1."""
    return replace(estimate, low=max(least, estimate.low), high=min(1.0, estimate.high))


def _compare_once(first: Variant, second: Variant) -> Estimate:
    """The same of one training each, or where all trainings of a kind agree."""
    before, after = ((one.solved[0] > 0).tolist() for one in (second, first))
    pairs = compare_pairs(before, after)
    return Estimate(mean=pairs.difference, low=pairs.low, high=pairs.high)
