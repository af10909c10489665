"""An answer as the annotation of the image that it was given to.

Workers load this file: it must not import torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.execution.execute import simulate
from envs.records import ParseFailure, Plan
from envs.sampling.labels import mark_target
from envs.scene import Scene
from policy.data.records import Sample
from policy.export.takes import Take


def annotate_take(
    take: Take, expert: bool = False, executed: bool = False
) -> Sample | str:
    """Returns an answer as an annotation, or why there is none.

    Args:
        take: The scene and the answer to it.
        expert: Whether the scene's own reference is meant, of which the answer's text
            is a rounded form; the part is then marked pixel by pixel.
        executed: Whether the answer has to succeed.
    """
    scene, answer = take.make_scene(), take.answer
    if isinstance(answer, ParseFailure):
        return answer.reason
    if not isinstance(answer, Plan):
        return "only a part of a plan"
    if executed:
        [outcome] = simulate(scene, [answer], threads=1)
        if not outcome.success:
            return outcome.reason
    if expert and scene.reference is not None:
        return _make_sample(scene, scene.reference.to_plan(), mark_target(scene))
    return _make_sample(scene, answer, _fill(answer.box, scene.seen.shape))


def _make_sample(scene: Scene, plan: Plan, part: NDArray[np.bool_]) -> Sample:
    return Sample(
        image=scene.observation.image,
        instruction=scene.instruction,
        box=plan.box,
        waypoints=plan.waypoints,
        part=part,
        category=scene.name,
        thing=scene.goal.target.rstrip("0123456789") or "thing",
        split=scene.split,
        thought=plan.thought,
        scene=scene.config.to_dict(),
    )


def _fill(
    box: tuple[float, float, float, float], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """[H, W] the pixels inside a box, at least one."""
    height, width = shape
    (left, right), (top, bottom) = (
        (int(box[i] * side), max(round(box[i + 2] * side), int(box[i] * side) + 1))
        for i, side in enumerate((width, height))
    )
    marked = np.zeros((height, width), bool)
    marked[top:bottom, left:right] = True
    return marked
