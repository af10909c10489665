"""What a scene's author writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.predicates import Execution
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.skills import Skill
from envs.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Something that can be asked in a sampled scene.

    Attributes:
        instruction: The words shown to the policy.
        target: Body that the instruction names.
        part: Body of the part to touch; its visible pixels are the affordance.
        place: Body to which the target is to be brought, "" for none.
        bystanders: Bodies that must stay as they are.
        thought: What the expert says before its answer.
    """

    instruction: str
    target: str
    part: str
    bystanders: tuple[str, ...] = ()
    place: str = ""
    thought: str = ""

    @property
    def aim(self) -> tuple[str, str, str]:
        """What tells goals apart, however they are worded."""
        return self.target, self.part, self.place


class Task(Protocol):
    """A kind of scene. `build`, `judge` and the two attributes are all it needs.

    Attributes:
        skill: What the hand does along a path; see `envs.skills`.
        part_classes: Names of the bodies that matter, without numbers: "mug" for
            `mug0` and its parts, "handle" for `mug0/handle`. They train the tower.
    """

    skill: Skill
    part_classes: tuple[str, ...]

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> Goal | Sequence[Goal]:
        """Adds the objects to the stage and says what can be asked.

        One of several goals is drawn; answers to the others must fail it.
        """
        ...

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Whether the instruction was fulfilled, from the states before and after."""
        ...

    # Optional: `kinds`, names of things of which `without=` leaves some out, and
    # `expert`. Without that a scene has no reference, and trains on success alone.
    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[K, 3] world path of the tool, K in 3..10, the first point on `goal.part`.

        What the task leaves open may be drawn from `rng`, as people differ, too.
        """
        ...


def classify(body: str, part_classes: Sequence[str]) -> int:
    """Semantic class of a body, 1 for the first of the names, 0 for none.

    The most special part of a body's name counts: `mug0/handle` is a handle, and
    `mug0/wall` a mug where walls are no class.
    """
    for segment in reversed(body.split("/")):
        name = segment.rstrip("0123456789")
        if name in part_classes:
            return 1 + part_classes.index(name)
    return 0
