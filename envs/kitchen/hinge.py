"""Open the named door of a wall cabinet by its bar."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras.viewpoint import find_facing
from envs.kitchen import fittings
from envs.naming import ask_each, name_row
from envs.predicates import Execution, conclude, slid, slide
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.rotation import turn_about
from envs.state import State
from envs.task import Goal

WORDINGS = (
    "open the {} door of the cabinet",
    "pull the {} cabinet door open",
    "swing the {} door of the cupboard open",
)
HELD_OUT_WORDINGS = ("pull the {} door by its bar",)
SIDES = {"left": -1, "right": 1}
NEEDED = np.deg2rad(30)  # closing on the bar opens it by 5
PULLS = np.deg2rad((34, 44))  # those who show the task pull a little further
TIP = 0.01  # m below a bar's upper end, where it is seen best
RESISTS = (0.15, 0.3)  # N m, and N m per rad/s, at a hinge
STILL = np.deg2rad(4)  # that the other door may move


@register_scene("kitchen_hinge", extra=fittings.EXTRA)
class OpenHingeCabinet:
    """Success: the named door is open by 30 degrees, unforced, the other one closed."""

    skill = fittings.PULL_BAR
    part_classes = ("door", "handle")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds the cabinet, things beside it, and names each door by its side."""
        scale = factors.uniform("shape", (0.46, 0.51), (0.43, 0.45))
        x = factors.uniform("position", (0.33, 0.37), (0.37, 0.385))
        y = factors.uniform("position", (-0.02, 0.02), (0.02, 0.03))
        cabinet = fittings.add_fixture(spec, "hingecab", "cabinet", (x, y), scale)
        thick = factors.uniform("shape", (1.15, 1.3), (1.3, 1.4))
        for i, side in enumerate(SIDES):
            old = f"cabinet/hinge{side}door"
            fittings.prepare_door(spec, old, f"door{i}", thick, RESISTS)
        fittings.keep_apart(spec, "cabinet", "door0", "door1", "world")
        shown = filter(fittings.is_shown, cabinet.geoms)
        doors = [g for i in (0, 1) for g in spec.body(f"door{i}").geoms]
        fittings.paint(factors, [*shown, *filter(fittings.is_shown, doors)])
        half, front = 0.4 * scale, x + 0.3 * scale
        rows = [front + depth for depth in (-0.05, 0.0, 0.05, 0.10)]
        fittings.scatter(spec, factors, rows, y, half)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        names = name_row(len(SIDES), find_facing(spec))
        return ask_each("door", "handle", wording, names)

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[4, 3] world path: the bar's top, then its way about the hinge."""
        return swing(goal.target, goal.part, state, float(rng.uniform(*PULLS)))

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads how far the doors were turned."""
        opened = abs(slide(run, goal.target))
        checks = {
            "opened_wrong_door": slid(run, goal.bystanders, STILL),
            "forced": fittings.forced(run),
            "not_opened": opened < NEEDED,
        }
        return conclude(checks, opened / NEEDED)


def swing(joint: str, part: str, state: State, angle: float) -> NDArray[np.float64]:
    """[4, 3] way of the top of a door's upright bar about the door's hinge."""
    bar = state.middle(part) + np.array([0, 0, state.size(part)[1] - TIP])
    hinge, (low, high) = state.data.joint(joint).xanchor, state.model.joint(joint).range
    turn = np.linspace(0, angle if high > -low else -angle, 4)
    return turn_about(bar, hinge, turn)
