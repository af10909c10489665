"""Averages with 95 % intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, bootstrap

RESAMPLES = 2000  # bounds of a bootstrap interval then repeat to about 2 % of its width
HELD = 2**20  # values of resamples that are held at once: 16 MiB with their places


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean and its 95 % interval.

    Attributes:
        mean: Mean of the sample.
        low: Lower bound.
        high: Upper bound.
    """

    mean: float
    low: float
    high: float


def estimate_rate(hits: Sequence[bool]) -> Estimate:
    """Wilson's interval of a rate: right at 0, at 1 and for small samples."""
    count, n = int(sum(hits)), len(hits)
    low, high = binomtest(count, n).proportion_ci(method="wilson")
    return Estimate(mean=count / n, low=float(low), high=float(high))


def estimate_mean(values: Sequence[float], seed: int = 0) -> Estimate:
    """Percentile bootstrap of a mean: the values need not be normal."""
    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    if len(sample) == 1:  # scipy refuses it
        return Estimate(mean=mean, low=mean, high=mean)
    drawn = bootstrap(
        (sample,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, HELD // len(sample)),
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = drawn.confidence_interval
    return Estimate(mean=mean, low=float(low), high=float(high))


def describe_estimates(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    """Returns means by name, and their intervals, as plain data for JSON."""
    means = {name: round(e.mean, 6) for name, e in estimates.items()}
    intervals = {
        name: [round(e.low, 6), round(e.high, 6)] for name, e in estimates.items()
    }
    return means | {"intervals": intervals}
