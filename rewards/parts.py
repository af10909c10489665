"""Scores per part of an answer, so that each part's tokens get their own credit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.records import Affordance, Plan, Reference, Trajectory
from rewards.metrics import (
    compute_fractions,
    compute_giou,
    interpolate_path,
)
from rewards.terms import score_distance


def part_scores(
    answer: Plan | Affordance | Trajectory, reference: Reference
) -> tuple[float, ...]:
    """Score the box and each waypoint of an answer by themselves.

    A waypoint is compared with the point of the reference path at the same share of
    arc length, so the first with its start and the last with its end, and a plan may
    have more or fewer waypoints than the reference. The box is scored by generalised
    IoU because plain IoU is 0, and so gives no direction, for every box that misses.

    Args:
        answer: The plan, or part of one, to score.
        reference: The expert's answer.

    Returns:
        A score 0..1 of each part the answer has, 1 being the reference's own, in the
        order of `Plan.parts`: box, waypoints. The box's is generalised
        IoU, moved to 0..1; distances count as in the reward terms.
    """
    box: tuple[float, ...] = ()
    path: tuple[float, ...] = ()
    if isinstance(answer, Plan | Affordance):
        box = (compute_giou(answer.box, reference.box),)
    if isinstance(answer, Plan | Trajectory):
        path = _score_waypoints(answer.waypoints, reference.waypoints)
    return box + path


def _score_waypoints(
    waypoints: Sequence[tuple[float, ...]], reference: Sequence[tuple[float, ...]]
) -> tuple[float, ...]:
    """Closeness of each waypoint to its place on the reference path."""
    targets = interpolate_path(reference, compute_fractions(waypoints))
    points = np.asarray(waypoints, dtype=np.float64)[:, :2]
    distances = np.linalg.norm(points - targets, axis=1)
    return tuple(score_distance(distance) for distance in distances.tolist())
