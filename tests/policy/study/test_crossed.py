"""Intervals over scenes and trainings cover what they are meant to cover."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from policy.study.crossed import estimate_sum

SCENES = 100


def draw(
    rng: np.random.Generator, ease: NDArray[np.float64], trainings: int, spread: float
) -> NDArray[np.float64]:
    """[S, N] successes: scenes are easy or hard for all, some trainings are better."""
    able = rng.normal(0, spread, (trainings, 1))
    luck = rng.normal(0, 0.9, (trainings, len(ease)))
    return (ease + able + luck > 0).astype(float)


@pytest.mark.parametrize("trainings", [3, 5])
@pytest.mark.parametrize("spread", [0.0, 0.12, 0.4])
def test_no_difference_is_covered_about_as_often_as_is_said(trainings, spread) -> None:
    rng, held, times = np.random.default_rng(0), 0, 400
    for _ in range(times):
        ease = rng.normal(1.6, 1.8, SCENES)
        first, second = (draw(rng, ease, trainings, spread) for _ in range(2))
        found = estimate_sum(first, -second)
        assert found is not None
        held += found.low <= 0 <= found.high
    assert 0.91 <= held / times <= 0.985


def test_of_one_training_it_is_the_interval_of_a_mean() -> None:
    values = np.random.default_rng(1).normal(size=(1, 30))
    found = estimate_sum(values)
    known = ttest_1samp(values[0], 0).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


def test_trainings_that_scatter_count_by_their_own_number() -> None:
    """Where scenes are alike, there are as many values as trainings."""
    means = np.array([0.2, 0.5, 0.9])
    found = estimate_sum(np.repeat(means[:, None], SCENES, axis=1))
    known = ttest_1samp(means, 0).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


def test_where_nothing_differs_nothing_is_known_of_others() -> None:
    assert estimate_sum(np.ones((3, SCENES))) is None
    assert estimate_sum(np.ones((3, SCENES)), -np.zeros((1, SCENES))) is None
