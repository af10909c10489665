"""How things are lifted off the table, and when one counts as lifted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.predicates import UNMOVED, Execution, conclude, held_by, rise, toppled
from envs.records import Outcome
from envs.task import Goal

NEEDED = 0.06  # m
LIFTS = (0.068, 0.09)  # m: those who show the task lift a little more
CARRIED = 0.02  # m that another thing may rise
TILTED = np.deg2rad(40)


def lift(grip: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """[3, 3] world path: from where a thing is held, straight up."""
    return grip + np.outer([0, 0.5, 1], [0, 0, rng.uniform(*LIFTS)])


def judge_lift(goal: Goal, run: Execution, wrong: str, not_held: str) -> Outcome:
    """Reads the settled state; the first reason that applies is given.

    Args:
        goal: What was to be lifted, by which part.
        run: What was done.
        wrong: The reason where something else came along.
        not_held: The reason where the part is not in the hand.
    """
    held, lifted = held_by(run, goal.part), rise(run, goal.target)
    checks = {
        "disturbed_others": toppled(run, goal.bystanders, TILTED),
        wrong: any(rise(run, other) > CARRIED for other in goal.bystanders),
        not_held: lifted >= UNMOVED and not held,
        "not_lifted": lifted < NEEDED,
    }
    return conclude(checks, lifted / NEEDED, grasped=held)
