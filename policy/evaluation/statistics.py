"""Averages with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Z_95 = 1.959964  # two-sided 95 % of a normal distribution
RESAMPLES = 2000  # bounds of a bootstrap interval then repeat to about 2 % of its width


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
    n = len(hits)
    rate = sum(hits) / n
    scale = 1 + Z_95**2 / n
    centre = (rate + Z_95**2 / (2 * n)) / scale
    half = Z_95 / scale * math.sqrt(rate * (1 - rate) / n + Z_95**2 / (4 * n * n))
    # Rounding must not put the bound of a rate of 0 or 1 beside it.
    low = 0.0 if rate == 0 else centre - half
    high = 1.0 if rate == 1 else centre + half
    return Estimate(mean=rate, low=low, high=high)


def estimate_mean(values: Sequence[float], seed: int = 0) -> Estimate:
    """Percentile bootstrap of a mean: the values need not be normal."""
    sample = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    n = len(sample)
    means = [sample[rng.integers(n, size=n)].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(mean=float(sample.mean()), low=float(low), high=float(high))


def describe_estimates(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    """Returns means by name, and their intervals, as plain data for JSON."""
    means = {name: round(e.mean, 6) for name, e in estimates.items()}
    intervals = {
        name: [round(e.low, 6), round(e.high, 6)] for name, e in estimates.items()
    }
    return means | {"intervals": intervals}
