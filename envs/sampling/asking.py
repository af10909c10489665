"""A sampled scene asked for something else that is in it, or in other words."""

from __future__ import annotations

from dataclasses import replace

from envs.sampling.reference import make_reference
from envs.scene import Scene
from envs.task import Goal


def ask_goal(scene: Scene, goal: Goal) -> Scene | None:
    """Returns the scene asked for another of its candidates.

    None where the scene has an expert, who could not show it: the part is hidden.
    """
    reference = None
    if scene.reference is not None:
        reference = make_reference(scene, goal)
        if reference is None:
            return None
    kept = (other for other in scene.others if other.aim != goal.aim)
    return replace(
        scene,
        goal=goal,
        others=(scene.goal, *kept),
        observation=replace(scene.observation, instruction=goal.instruction),
        reference=reference,
    )


def ask(scene: Scene, instruction: str) -> Scene:
    """Returns the scene in other words.

    Where they are those of another of its candidates, that is what counts from now on.
    Other words change what is read, not what is judged.

    Raises:
        ValueError: They are those of a candidate whose part is hidden.
    """
    for goal in scene.others:
        if goal.instruction == instruction:
            asked = ask_goal(scene, goal)
            if asked is None:
                raise ValueError(f"{instruction!r}: {goal.part!r} cannot be seen")
            return asked
    return replace(
        scene, observation=replace(scene.observation, instruction=instruction)
    )
