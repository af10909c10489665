"""What a scene's author writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.factors import Factors
from envs.predicates import Execution
from envs.records import Outcome
from envs.skills import Skill


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is asked in one sampled scene.

    Attributes:
        instruction: The words shown to the policy.
        target: Body that the instruction names.
        part: Body of the part to touch; its visible pixels are the affordance.
        place: Body to which the target is to be brought, "" for none.
        candidates: The same part of other objects: plans for them must fail.
        bystanders: Bodies that must stay as they are.
        thought: What the expert says before its answer.
    """

    instruction: str
    target: str
    part: str
    candidates: tuple[str, ...] = ()
    bystanders: tuple[str, ...] = ()
    place: str = ""
    thought: str = ""


class Task(Protocol):
    """A kind of scene.

    Attributes:
        skill: What the hand does along a path; see `envs.skills`.
        part_classes: Names of the semantic classes 1, 2, ... of `classify`.
    """

    skill: Skill
    part_classes: tuple[str, ...]

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> Goal:
        """Adds the objects to the stage and says what to do with them."""
        ...

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Whether the instruction was fulfilled, from the states before and after."""
        ...

    def expert(
        self,
        goal: Goal,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """[K, 3] world path of the tool that uses `goal.part`.

        What the task leaves open may be drawn from `rng`, as people differ, too.
        """
        ...

    def classify(self, part: str) -> int:
        """Semantic class of a body, 0 for what does not matter."""
        ...
