"""The expert's answer to a scene, as a policy would give it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from envs.cameras.camera import project
from envs.contract import blaming, check_path
from envs.execution.unprojection import flatten
from envs.randomization.factors import DEMONSTRATION, scene_rng
from envs.records import Reference
from envs.sampling.labels import find_box
from envs.scene import Scene
from envs.task import Goal


def make_reference(scene: Scene, goal: Goal) -> Reference | None:
    """The expert's answer to a goal; None if too little of its part is visible."""
    box = find_box(scene, goal.part)
    if box is None:
        return None
    shown = _show(scene, _ask_expert(scene, goal))
    if (shown[:, :2] <= 0).any() or (shown[:, :2] >= 1).any():
        return None
    return Reference(
        box=box,
        waypoints=tuple(tuple(point) for point in shown.tolist()),
        thought=goal.thought,
    )


def add_heights(scene: Scene) -> Scene:
    """The same scene, asking for waypoints with heights, as its reference has them."""
    asking = replace(scene, observation=replace(scene.observation, waypoints="3d"))
    if scene.reference is None:
        return asking
    return replace(asking, reference=make_reference(asking, scene.goal))


def _ask_expert(scene: Scene, goal: Goal) -> NDArray[np.float64]:
    """[K, 3] world path of the tool."""
    rng = scene_rng(scene.name, scene.split, scene.seed, DEMONSTRATION)
    with blaming(scene.where, "expert"):
        path = scene.task.expert(goal, scene.state, rng)
    check_path(scene.where, path)
    return path


def _show(scene: Scene, path: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K, 2 or 3] the path in the image, with heights where they are asked for."""
    camera = scene.observation.camera
    if scene.observation.waypoints == "3d":
        return np.column_stack([project(camera, path), path[:, 2]])
    return flatten(camera, path, scene.task.skill)
