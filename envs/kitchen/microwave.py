"""Open the microwave by its handle."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.kitchen import fittings
from envs.kitchen.hinge import RESISTS, swing
from envs.kitchen.lone_door import DOOR, ask_for_door, judge_door
from envs.predicates import Execution, slide
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.state import State
from envs.task import Goal

WORDINGS = (
    "open the microwave",
    "pull the microwave's door open",
    "swing the door of the microwave open by its handle",
)
HELD_OUT_WORDINGS = ("pull the handle of the microwave",)
# Few, for every other size has meshes, and with them a graphics context, of its own.
SIZES, HELD_OUT_SIZES = (0.54, 0.57, 0.60), (0.51, 0.525)
NEEDED = np.deg2rad(25)
PULLS = np.deg2rad((30, 42))


@register_scene("kitchen_microwave", extra=fittings.EXTRA)
class OpenMicrowave:
    """Success: the door is open by 25 degrees, unforced; nothing was pushed away."""

    skill = fittings.PULL_BAR
    part_classes = ("door", "handle")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> Goal:
        """Adds the microwave and things beside it."""
        scale = factors.choice("shape", SIZES, HELD_OUT_SIZES)
        x = factors.uniform("position", (0.33, 0.37), (0.37, 0.39))
        y = factors.uniform("position", (-0.03, 0.03), (0.03, 0.045))
        oven = fittings.add_fixture(spec, "microroot", "oven", (x, y), scale)
        thick = factors.uniform("shape", (1.1, 1.25), (1.25, 1.35))
        fittings.prepare_door(spec, "oven/microdoorroot", DOOR, thick, RESISTS)
        fittings.keep_apart(spec, "oven", DOOR, "world")
        case = [geom for geom in oven.geoms if fittings.is_shown(geom)][:1]
        fittings.paint(factors, case)
        front, half = x + 0.23 * scale, 0.35 * scale
        rows = [front + depth for depth in (-0.1, -0.05, 0.0, 0.05, 0.10)]
        others = fittings.scatter(spec, factors, rows, y, half)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return ask_for_door(wording, "microwave", others)

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[4, 3] world path: the bar's top, then its way about the hinge."""
        return swing(goal.target, goal.part, state, float(rng.uniform(*PULLS)))

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads how far the door was turned."""
        return judge_door(goal, run, abs(slide(run, goal.target)), NEEDED)
