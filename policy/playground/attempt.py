"""One answer to one scene, executed and judged; runs in the processes that simulate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.answer import parse_answer
from envs.cameras.camera import project
from envs.cameras.view import View
from envs.execution.execute import simulate
from envs.execution.unprojection import unproject
from envs.records import Completion, Outcome, ParseFailure, Plan, Reward, Waypoints
from envs.rollout import Rollout
from envs.scene import Scene
from rewards import RewardMix, score


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of a text.

    Attributes:
        text: It, with numbers from 0 to 1000.
        answer: What it meant.
        outcome: What happened.
        reward: What it earned.
        lifted: The hand's path in the world, seen in the image, in image units; empty
            for an answer that has none.
    """

    text: str
    answer: Plan | ParseFailure
    outcome: Outcome
    reward: Reward
    lifted: tuple[tuple[float, float], ...] = ()

    @property
    def moved(self) -> bool:
        """Whether there was something to execute."""
        return bool(self.lifted)

    def to_rollout(self, scene: Scene) -> Rollout:
        """The attempt as films, reports and data sets know it."""
        return Rollout(
            scene=scene,
            completion=Completion(text=self.text),
            answer=self.answer,
            outcome=self.outcome,
            reward=self.reward,
        )


def attempt(scene: Scene, text: str, mix: RewardMix) -> Attempt:
    """Reads, executes and judges a text.

    Args:
        scene: The scene.
        text: Any text, numbers from 0 to 1000.
        mix: What is rewarded; without a reference as much of it as applies.
    """
    answer = parse_answer(text)
    [outcome] = simulate(scene, [answer], threads=1)
    fitting = mix if scene.reference is not None else mix.without_reference()
    return Attempt(
        text=text,
        answer=answer,
        outcome=outcome,
        reward=score(answer, scene.reference, outcome, fitting),
        lifted=_see(scene, lift(scene, answer)) if isinstance(answer, Plan) else (),
    )


def lift(scene: Scene, plan: Plan) -> NDArray[np.float64]:
    """Returns the hand's [K, 3] path in the world; no rows where there is none."""
    view = View(scene.state, scene.observation.camera)
    [found] = unproject(view, [plan], scene.task.skill)
    return found.position_world if isinstance(found, Waypoints) else np.empty((0, 3))


def _see(scene: Scene, path: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    points = project(scene.observation.camera, path).tolist()
    return tuple((x, y) for x, y in points)
