"""The reward terms: pure functions to 0..1, 1 being best.

Geometric terms read `Metrics` (needs a reference), physical terms an `Outcome` (needs
a simulation), the format term the answer alone. To a part of a plan only those apply
that judge it.
"""

from __future__ import annotations

from collections.abc import Callable

from envs.records import Affordance, AnyAnswer, Outcome, ParseFailure, Plan, Trajectory
from rewards.metrics import Metrics

HALF_DISTANCE = 0.05
"""Image units at which a distance is worth 0.5, i.e. k = ln 2 / 0.05 in exp(-k d).

Success in simulation halves there too: with the whole plan shifted by 12 of 224 pixels
(0.054) the prototype lifted 27 of the 46 mugs that it lifted with the exact plan. It
also lies between the errors of a trained small policy (0.02) and of the paper's
trained 3B model (0.087 to 0.134); the slope exp(-k d) k at either end is at least 55 %
of what the best k for that very error would give, so learning sees both. The paper's
own k (0.1 to 1, meant for 0..1000 units) give 1e-6 at its mean error. All four
distances share the value: for a path that is merely shifted they are the same number.
"""

GENTLE_FORCE = 70.0
"""Newton up to which a contact is gentle: the continuous grasping force in the Franka
Hand's data sheet. Chosen: twice the limit is worth 0.5."""


def score_format(answer: AnyAnswer) -> float:
    """1 if the whole text kept the format."""
    return float(not isinstance(answer, ParseFailure) and answer.well_formed)


def score_distance(distance: float, half: float = HALF_DISTANCE) -> float:
    """exp(-k d) with k = ln 2 / half: 1 at distance 0, 0.5 at `half`."""
    return 0.5 ** (distance / half)


def compute_gate(outcome: Outcome) -> float:
    """How far an outcome lets other terms count: 1 on success, else its progress."""
    return 1.0 if outcome.success else outcome.progress


def score_contact_force(outcome: Outcome) -> float:
    """Gentleness; as far as the gate, since touching nothing would be the gentlest."""
    excess = max(0.0, outcome.contact_force - GENTLE_FORCE)
    return compute_gate(outcome) * score_distance(excess, half=GENTLE_FORCE)


def score_smoothness(outcome: Outcome) -> float:
    """Smoothness; as far as the gate, since standing still would be the smoothest."""
    return compute_gate(outcome) * outcome.smoothness


OF_BOX: dict[str, Callable[[Metrics], float]] = {
    "affordance": lambda metrics: metrics.iou,
}

OF_PATH: dict[str, Callable[[Metrics], float]] = {
    "path_frechet": lambda metrics: score_distance(metrics.dfd),
    "path_hausdorff": lambda metrics: score_distance(metrics.hd),
    "path_rmse": lambda metrics: score_distance(metrics.rmse),
    "endpoint": lambda metrics: score_distance(metrics.endpoint),
}

GEOMETRIC = OF_BOX | OF_PATH

PHYSICAL: dict[str, Callable[[Outcome], float]] = {
    "success": lambda outcome: float(outcome.success),
    "grasped": lambda outcome: float(outcome.grasped),
    "progress": lambda outcome: outcome.progress,
    "contact_force": score_contact_force,
    "smoothness": score_smoothness,
}

TERMS = ("format", *GEOMETRIC, *PHYSICAL)
"""Every name that a mix may weigh."""

TERMS_OF = {
    Plan.kind: TERMS,
    Affordance.kind: ("format", *OF_BOX),
    Trajectory.kind: ("format", *OF_PATH),
}
"""The terms that apply, by what was asked: parts of a plan are never executed."""
