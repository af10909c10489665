"""A reward that leads agents from nothing: it falls off everywhere, and slowly.

Language models start out near the reference, and the terms' scale of 0.05 fits their
errors. An agent that starts with random numbers is ten times as far away, where those
terms are 0.001: it sees no slope. This is for such agents, not for comparisons.
"""

from __future__ import annotations

import math

import numpy as np

from envs.records import AnyAnswer, Outcome, Plan, Reference, Reward
from rewards.metrics import interpolate_path

STEEPNESS = 4.0  # exp(-4 d): 0.14 at half the image's width, where random answers lie


def score_shaped(
    answer: AnyAnswer, reference: Reference | None, outcome: Outcome | None
) -> Reward:
    """Judges one answer by success and by nearness to the expert's answer.

    Args:
        answer: What was read; what is no whole plan is near nothing.
        reference: The expert's answer.
        outcome: What the simulation said, or None.

    Returns:
        The terms `success` and `nearness`, exp(-4 d) of the mean distance between the
        corners and points of the two answers in image units, and their mean: at most
        0.5 without success, more with it.

    Raises:
        ValueError: No reference.
    """
    if reference is None:
        raise ValueError(
            "score_shaped compares with the expert's answer, but the scene has no "
            "expert"
        )
    terms = {
        "success": float(outcome is not None and outcome.success),
        "nearness": _compute_nearness(answer, reference),
    }
    return Reward(terms=terms, total=sum(terms.values()) / 2)


def _compute_nearness(answer: AnyAnswer, reference: Reference) -> float:
    if not isinstance(answer, Plan):
        return 0.0
    points = np.array([point[:2] for point in answer.waypoints])
    share = np.linspace(0, 1, len(points))
    corners = np.array([answer.box, reference.box]).reshape(2, 2, 2)
    away = np.concatenate(
        [corners[0] - corners[1], points - interpolate_path(reference.waypoints, share)]
    )
    return math.exp(-STEEPNESS * float(np.linalg.norm(away, axis=1).mean()))
