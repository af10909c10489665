"""Intervals of means over scenes and trainings, of both of which there are others.

Every training is measured on the same scenes, so the two are crossed. A mean varies
with the scenes, which the means of single scenes show, and with the trainings, which
theirs show, less what scenes alone make of them: that is in the first part. Bounds are
Student's, with Satterthwaite's degrees of freedom (Biometrics Bulletin 2, 1946): a few
trainings that scatter make them wide. With one training they are of scenes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from policy.evaluation.statistics import Estimate

Block = NDArray[np.float64]
"""[S, N]: what each of S trainings came to in each of N scenes."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a variance, and the degrees of freedom that it is known by."""

    variance: float
    degrees: int


def estimate_sum(*blocks: Block) -> Estimate | None:
    """Returns the sum of the means of blocks, which share scenes but no training.

    A difference is the sum of one block and the negative of another.

    Returns:
        None where no scene and no training differs: nothing tells how far others would.
    """
    scenes = np.sum([block.mean(0) for block in blocks], axis=0)
    parts = [_vary_scenes(scenes), *map(_vary_trainings, blocks)]
    variance = sum(part.variance for part in parts)
    if not variance:
        return None
    known = sum(part.variance**2 / part.degrees for part in parts if part.variance)
    half = t.ppf(0.975, variance**2 / known) * sqrt(variance)
    mean = float(scenes.mean())
    return Estimate(mean=mean, low=float(mean - half), high=float(mean + half))


def _vary_scenes(scenes: NDArray[np.float64]) -> _Part:
    count = len(scenes)
    return _Part(float(scenes.var(ddof=1) / count) if count > 1 else 0.0, count - 1)


def _vary_trainings(block: Block) -> _Part:
    """What trainings add to the variance, beyond what scenes make of their means."""
    trainings, scenes = block.shape
    degrees = trainings - 1
    if not degrees or scenes == 1:
        return _Part(0.0, degrees)
    means = block.mean(1)
    rest = block - means[:, None] - block.mean(0) + block.mean()
    luck = (rest**2).sum() / (degrees * (scenes - 1) * scenes)
    return _Part(max(0.0, float(means.var(ddof=1) - luck) / trainings), degrees)
