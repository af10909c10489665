"""Policies that are not models: the ceiling, the floor and what lies between.

Each answers a scene in text, in 0..1000 coordinates, so that it runs through the very
parser and executor that a model's answer does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envs.answer import MAX_WAYPOINTS, MIN_WAYPOINTS, format_answer
from envs.records import Plan, Reference
from envs.sampling.reference import make_reference
from envs.scene import AnyScene, Scene


def answer_expert(scene: AnyScene) -> str:
    """The scripted expert's answer: what the scene allows.

    Raises:
        ValueError: If the scene has no expert.
    """
    if scene.reference is None:
        raise ValueError(
            f"scene {scene.name!r} has no expert; choose another policy: null, random"
        )
    return _format_reference(scene.reference)


def answer_null(scene: AnyScene) -> str:
    """A well-formed answer that goes to a corner of the image and stays."""
    corner = ((0.01, 0.01),) * MIN_WAYPOINTS
    return format_answer(Plan(box=(0.0, 0.0, 0.02, 0.02), waypoints=corner))


def answer_random(scene: AnyScene) -> str:
    """A box and a path drawn uniformly over the image, the same for the same scene."""
    rng = np.random.default_rng((scene.seed, 0))
    corners = np.sort(rng.uniform(size=(2, 2)), axis=0)
    path = rng.uniform(size=(rng.integers(MIN_WAYPOINTS, MAX_WAYPOINTS + 1), 2))
    (x1, y1), (x2, y2) = corners.tolist()
    waypoints = tuple((x, y) for x, y in path.tolist())
    return format_answer(Plan(box=(x1, y1, x2, y2), waypoints=waypoints))


def answer_wrong_target(scene: AnyScene) -> str:
    """The expert's answer to something else that could have been asked.

    Where nothing else could, it does nothing: neither may ever succeed.
    """
    if not isinstance(scene, Scene):
        return answer_null(scene)
    for goal in scene.others:
        reference = make_reference(scene, goal)
        if reference is not None:
            return _format_reference(reference)
    return answer_null(scene)


def _format_reference(reference: Reference) -> str:
    return format_answer(reference.to_plan())


BASELINES: dict[str, Callable[[AnyScene], str]] = {
    "expert": answer_expert,
    "null": answer_null,
    "random": answer_random,
    "wrong_target": answer_wrong_target,
}
