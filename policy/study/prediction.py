"""How well geometry tells which answers will succeed.

AUC is the chance that of a success and a failure, drawn at random, the success has the
higher score: 0.5 for a coin, 1 for a score that never errs. Intervals come from drawing
whole scenes again, since answers to one scene share its difficulty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from policy.evaluation.statistics import RESAMPLES, Estimate
from rewards.terms import HALF_DISTANCE

Table = Mapping[str, NDArray[Any]]
"""Answers as columns of equal length."""

RELEASED_K = {"raw_dfd": 0.1, "raw_hd": 0.1, "rmse": 0.5}  # of the paper's code
WEIGHTS = {"dfd": 0.25, "hd": 0.15, "rmse": 0.20, "end": 0.40}
UNITS = 1000  # in which the paper's distances are


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A tenth of the answers, by their score.

    Attributes:
        low: The least score.
        high: The greatest.
        success: How many of them succeed.
    """

    low: float
    high: float
    success: Estimate


def read_answers(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Returns the answers of finished runs of `policy.study.answers` as columns."""
    every, envs, samples = [], [], []
    for row in rows:
        found = row["found"]
        every += [dict(zip(found["columns"], line)) for line in found["rows"]]
        envs += [row["run"]["name"]] * len(found["rows"])
    columns = {name: np.array([one[name] for one in every]) for name in every[0]}
    columns["env"] = np.array(envs)
    samples = [f"{e['split']} {e['seed']} {env}" for e, env in zip(every, envs)]
    columns["scene"] = np.unique(samples, return_inverse=True)[1]
    return columns | score_answers(columns)


def score_answers(table: Table) -> dict[str, NDArray[np.float64]]:
    """Returns the rewards, and their terms, that the figures of answers come to.

    `geometry` is Graspo's `reward=paper` without its format term; `geometry, as
    released` has the exponents of the paper's code, distances in 0..1000, raw points.
    """
    near = {n: 0.5 ** (table[n] / HALF_DISTANCE) for n in WEIGHTS}
    path = np.sum([w * near[n] for n, w in WEIGHTS.items()], axis=0)
    released = {
        "dfd": np.exp(-RELEASED_K["raw_dfd"] * UNITS * table["raw_dfd"]),
        "hd": np.exp(-RELEASED_K["raw_hd"] * UNITS * table["raw_hd"]),
        "rmse": np.exp(-RELEASED_K["rmse"] * UNITS * table["rmse"]),
        "end": np.exp(-((UNITS * table["end"]) ** 2)),
    }
    far = np.sum([w * released[n] for n, w in WEIGHTS.items()], axis=0)
    return {
        "geometry": (table["iou"] + path) / 2,
        "geometry, as released": (table["iou"] + far) / 2,
        "box IoU": table["iou"],
        "path": path,
        "Fréchet": near["dfd"],
        "Fréchet, raw points": -table["raw_dfd"],
        "Hausdorff": near["hd"],
        "RMSE": near["rmse"],
        "end point": near["end"],
        "box and end point": table["iou"] * near["end"],
    }


SCORES = (
    *("geometry", "geometry, as released", "box and end point", "box IoU", "path"),
    *("Fréchet", "Fréchet, raw points", "Hausdorff", "RMSE", "end point"),
)


def compute_auc(scores: NDArray[Any], success: NDArray[Any]) -> float:
    """Returns the chance that a success scores higher than a failure; ties count half.

    It is nan where all answers end alike.
    """
    wins = int(success.sum())
    if wins in (0, len(success)):
        return float("nan")
    ranks = rankdata(scores)
    above = ranks[success.astype(bool)].sum() - wins * (wins + 1) / 2
    return float(above / (wins * (len(success) - wins)))


def estimate_auc(table: Table, name: str, seed: int = 0) -> Estimate:
    """Returns the AUC of a score, and its interval from scenes drawn again."""
    draws = draw_scenes(table["scene"], seed)
    scores, success = table[name], table["success"]
    drawn = [compute_auc(scores[places], success[places]) for places in draws]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Estimate(mean=compute_auc(scores, success), low=float(low), high=float(high))


def estimate_auc_within(table: Table, name: str, seed: int = 0) -> Estimate:
    """Returns the AUC of pairs of answers to the same scene, all such pairs alike.

    It is what GRPO learns from, which compares answers to a scene with each other.
    """
    pairs = []
    for scene in np.unique(table["scene"]):
        own = table["scene"] == scene
        scores, success = table[name][own], table["success"][own]
        wins = int(success.sum())
        count = wins * (len(success) - wins)
        pairs.append((count * compute_auc(scores, success) if count else 0.0, count))
    above, every = np.array(pairs).T
    draws = np.random.default_rng(seed).integers(
        len(every), size=(RESAMPLES, len(every))
    )
    drawn = above[draws].sum(1) / np.maximum(every[draws].sum(1), 1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    mean = above.sum() / max(every.sum(), 1)
    return Estimate(mean=float(mean), low=float(low), high=float(high))


def estimate_failure(table: Table, seed: int = 0) -> Estimate:
    """Returns the share of answers that fail, its interval from scenes drawn again."""
    failed = 1.0 - table["success"]
    drawn = [failed[places].mean() for places in draw_scenes(table["scene"], seed)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(mean=float(failed.mean()), low=float(low), high=float(high))


def draw_scenes(
    scenes: NDArray[Any], seed: int, times: int = RESAMPLES // 4
) -> list[NDArray[np.int64]]:
    """Returns places of answers, whole scenes drawn with replacement, so many times."""
    rng = np.random.default_rng(seed)
    order = np.argsort(scenes, kind="stable")
    kinds, starts = np.unique(scenes[order], return_index=True)
    groups = np.split(order, starts[1:])
    chosen = rng.integers(len(kinds), size=(times, len(kinds)))
    return [np.concatenate([groups[i] for i in row]) for row in chosen]


def correlate(table: Table, name: str) -> float:
    """Returns Spearman's rank correlation of a score with success."""
    ranks = [rankdata(table[column]) for column in (name, "success")]
    return float(np.corrcoef(ranks)[0, 1])


def cut_deciles(table: Table, name: str, seed: int = 0) -> list[Bin]:
    """Returns success by tenths of the answers, the lowest scores first."""
    scores, success = table[name], table["success"]
    order = np.argsort(scores, kind="stable")
    draws = draw_scenes(table["scene"], seed)
    weights = np.array([np.bincount(d, minlength=len(scores)) for d in draws])
    return [_make_bin(scores, success, weights, p) for p in np.array_split(order, 10)]


def _make_bin(
    scores: NDArray[Any],
    success: NDArray[Any],
    weights: NDArray[np.int64],
    places: NDArray[np.int64],
) -> Bin:
    """One tenth; `weights` [R, N] tell how often each answer was drawn again."""
    drawn = weights[:, places]
    rates = (drawn * success[places]).sum(1) / np.maximum(drawn.sum(1), 1)
    low, high = np.quantile(rates, [0.025, 0.975])
    mean = float(success[places].mean())
    bounds = [float(v) for v in (scores[places].min(), scores[places].max())]
    rate = Estimate(mean=mean, low=float(low), high=float(high))
    return Bin(low=bounds[0], high=bounds[1], success=rate)


def select(table: Table, chosen: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Returns some of the answers."""
    return {name: column[chosen] for name, column in table.items()}


def count_misled(table: Table, good: float) -> list[tuple[str, int, str]]:
    """Returns where a good score is no success: scene, how often, why most often.

    Args:
        table: Answers.
        good: The geometry from which on it is called good.
    """
    wrong = select(table, (table["geometry"] >= good) & (table["success"] == 0))
    found = []
    for env in np.unique(wrong["env"]):
        reasons, counts = np.unique(
            wrong["reason"][wrong["env"] == env], return_counts=True
        )
        found.append((str(env), int(counts.sum()), str(reasons[counts.argmax()])))
    return sorted(found, key=lambda row: -row[1])
