"""Scores per part of an answer, so that each part's tokens get their own credit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.records import Plan, Reference
from rewards.metrics import (
    compute_fractions,
    compute_giou,
    interpolate_path,
)
from rewards.terms import score_distance


@dataclass(frozen=True, slots=True, kw_only=True)
class PartScores:
    """How good each part of a plan is, 0..1, 1 being the reference's own.

    Attributes:
        box: Generalised IoU, moved to 0..1.
        waypoints: [K] closeness of each waypoint of the plan to the reference path.
    """

    box: float
    waypoints: tuple[float, ...]


def part_scores(plan: Plan, reference: Reference) -> PartScores:
    """Score the box and each waypoint of a plan by themselves.

    A waypoint is compared with the point of the reference path at the same share of
    arc length, so the first with its start and the last with its end, and a plan may
    have more or fewer waypoints than the reference. The box is scored by generalised
    IoU because plain IoU is 0, and so gives no direction, for every box that misses.

    Args:
        plan: The plan to score.
        reference: The expert's answer.

    Returns:
        The scores; distances count as in the reward terms.
    """
    fractions = compute_fractions(plan.waypoints)
    targets = interpolate_path(reference.waypoints, fractions)
    points = np.asarray(plan.waypoints, dtype=np.float64)[:, :2]
    distances = np.linalg.norm(points - targets, axis=1)
    return PartScores(
        box=compute_giou(plan.box, reference.box),
        waypoints=tuple(score_distance(distance) for distance in distances.tolist()),
    )
