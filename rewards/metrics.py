"""How far an answer is from the reference, in image units: the paper's table.

Both paths are resampled to the same number of points, evenly by arc length, before
they are compared. On the raw 3 to 10 points the discrete Frechet distance depends on
how many points there are, which a policy learns to exploit (seen in Embodied-R1).
Only image coordinates are compared; whether heights were right, the outcome says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from envs.records import Affordance, AnyAnswer, Plan, Reference, Trajectory

Box = tuple[float, float, float, float]
Points = Sequence[Sequence[float]] | NDArray[np.float64]

RESAMPLED_POINTS = 20
"""As in the paper's RMSE: a spacing of 5 % of the path."""

WORST_DISTANCE = math.sqrt(2)
"""Image units between opposite corners: no two points of the image are further apart.
What an answer lacks, or could not be read of it, counts as this far away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Raw figures of one answer; distances in image units, 0 to sqrt(2).

    Attributes:
        iou: Intersection over union of the boxes, 0..1.
        dfd: Discrete Frechet distance of the paths.
        hd: Symmetric Hausdorff distance of the paths.
        rmse: Root mean square distance of points at the same share of the paths.
        endpoint: Distance between the last points.
    """

    iou: float
    dfd: float
    hd: float
    rmse: float
    endpoint: float


WORST_METRICS = Metrics(
    iou=0.0,
    dfd=WORST_DISTANCE,
    hd=WORST_DISTANCE,
    rmse=WORST_DISTANCE,
    endpoint=WORST_DISTANCE,
)


def compute_metrics(answer: AnyAnswer, reference: Reference) -> Metrics:
    """Measure an answer; what it lacks counts as in `WORST_METRICS`.

    An answer that did not parse lacks everything, so averages over answers never drop
    one; an affordance alone lacks the path, a trajectory alone the box.
    """
    metrics = WORST_METRICS
    if isinstance(answer, Plan | Trajectory):
        metrics = _measure_path(answer.waypoints, reference.waypoints)
    if isinstance(answer, Plan | Affordance):
        metrics = replace(metrics, iou=compute_iou(answer.box, reference.box))
    return metrics


def _measure_path(waypoints: Points, reference: Points) -> Metrics:
    """The distances between two paths; no box."""
    path, target = resample_path(waypoints), resample_path(reference)
    pairwise = np.asarray(cdist(path, target), dtype=np.float64)
    return replace(
        WORST_METRICS,
        dfd=compute_frechet(pairwise),
        hd=compute_hausdorff(pairwise),
        rmse=float(np.sqrt(np.mean(np.diagonal(pairwise) ** 2))),
        endpoint=float(pairwise[-1, -1]),
    )


def compute_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x1, y1, x2, y2), 0..1."""
    intersection, union = _overlap(a, b)
    return intersection / union


def compute_giou(a: Box, b: Box) -> float:
    """Generalised IoU (Rezatofighi et al. 2019) moved from -1..1 to 0..1.

    Unlike IoU it still tells a near miss from a far one.
    """
    intersection, union = _overlap(a, b)
    hull = _area((*np.minimum(a[:2], b[:2]), *np.maximum(a[2:], b[2:])))
    return float((1 + intersection / union - (hull - union) / hull) / 2)


def resample_path(points: Points, n: int = RESAMPLED_POINTS) -> NDArray[np.float64]:
    """Place n points on a path, evenly by arc length, the ends included.

    Args:
        points: [K, >= 2] points; only the image coordinates are used.
        n: How many points to return.

    Returns:
        [n, 2] points in image units; all the same if the path has no length.
    """
    return interpolate_path(points, np.linspace(0.0, 1.0, n))


def interpolate_path(
    points: Points, fractions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points [n, 2] of a path at `fractions` [n] of its arc length."""
    xy = _image_points(points)
    at = compute_fractions(xy)
    return np.stack([np.interp(fractions, at, xy[:, i]) for i in (0, 1)], axis=1)


def compute_fractions(points: Points) -> NDArray[np.float64]:
    """The share [K] of the path's arc length at each point, from 0 to 1.

    On a path without length the points count as evenly spaced.
    """
    steps = np.linalg.norm(np.diff(_image_points(points), axis=0), axis=1)
    walked = np.concatenate([[0.0], np.cumsum(steps)])
    if walked[-1] == 0.0:
        return np.linspace(0.0, 1.0, len(walked))
    return walked / walked[-1]


def compute_frechet(pairwise: NDArray[np.float64]) -> float:
    """Discrete Frechet distance from [N, M] pairwise distances.

    The shortest leash that lets two walkers go along their paths, neither stepping
    back (Eiter and Mannila 1994). Plain floats: at N = 20 quicker than numpy.
    """
    rows = pairwise.tolist()
    leash = [max(rows[0][: j + 1]) for j in range(len(rows[0]))]
    for row in rows[1:]:
        above, leash = leash, []
        left = diagonal = math.inf
        for distance, up in zip(row, above, strict=True):
            left = max(distance, min(up, diagonal, left))
            leash.append(left)
            diagonal = up
    return leash[-1]


def compute_hausdorff(pairwise: NDArray[np.float64]) -> float:
    """Symmetric Hausdorff distance from [N, M] pairwise distances."""
    return float(max(pairwise.min(axis=0).max(), pairwise.min(axis=1).max()))


def _image_points(points: Points) -> NDArray[np.float64]:
    """The image coordinates [K, 2] of points that may carry a height."""
    return np.asarray(points, dtype=np.float64)[:, :2]


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _overlap(a: Box, b: Box) -> tuple[float, float]:
    """Areas of the intersection and of the union."""
    shared = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    intersection = _area(shared)
    return intersection, _area(a) + _area(b) - intersection
