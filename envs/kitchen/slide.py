"""Slide the door of a wall cabinet aside by its bar."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.kitchen import fittings
from envs.kitchen.hinge import TIP
from envs.kitchen.lone_door import DOOR, ask_for_door, judge_door
from envs.predicates import Execution, slide
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.state import State
from envs.task import Goal

WORDINGS = (
    "slide the cabinet open",
    "slide the door of the cabinet to the right",
    "open the sliding cabinet by its bar",
)
HELD_OUT_WORDINGS = ("push the cabinet's door aside",)
NEEDED = 0.07  # m
SLIDES = (0.085, 0.12)  # m: those who show the task go a little further
RESISTS = (0.8, 3.0)  # N, and N per m/s, on the rail


@register_scene("kitchen_slide", extra=fittings.EXTRA)
class SlideCabinet:
    """Success: the door has slid by 7 cm, unforced; nothing was pushed away."""

    skill = fittings.PULL_BAR
    part_classes = ("door", "handle")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> Goal:
        """Adds the cabinet and things beside it."""
        scale = factors.uniform("shape", (0.43, 0.48), (0.40, 0.42))
        x = factors.uniform("position", (0.34, 0.38), (0.38, 0.40))
        y = factors.uniform("position", (-0.02, 0.02), (0.02, 0.03))
        cabinet = fittings.add_fixture(spec, "slide", "cabinet", (x, y), scale)
        thick = factors.uniform("shape", (1.15, 1.3), (1.3, 1.4))
        old = "cabinet/slidelink"
        door = fittings.prepare_door(spec, old, DOOR, thick, RESISTS)
        fittings.keep_apart(spec, "cabinet", DOOR, "world")
        shown = [*filter(fittings.is_shown, cabinet.geoms)]
        fittings.paint(factors, shown)
        fittings.paint(factors, filter(fittings.is_shown, door.geoms))
        front, half = x + 0.37 * scale, 0.45 * scale
        rows = [front + depth for depth in (-0.1, -0.05, 0.0)]
        others = fittings.scatter(spec, factors, rows, y, half)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return ask_for_door(wording, "cabinet", others)

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the bar's top, then level along the door's rail."""
        up = np.array([0, 0, state.size(goal.part)[1] - TIP])
        bar = state.middle(goal.part) + up
        return bar + np.outer([0, 0.5, 1], [0, rng.uniform(*SLIDES), 0])

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads how far the door has slid."""
        return judge_door(goal, run, slide(run, goal.target), NEEDED)
