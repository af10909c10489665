"""Pull the named drawer of a cabinet open by its handle."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras.viewpoint import find_facing
from envs.clutter import add_distractors, sample_colours, shade
from envs.naming import ask_each, name_row
from envs.objects.furniture import CabinetShape, add_cabinet
from envs.predicates import Execution, conclude, slide
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import PULL
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "open the {} drawer",
    "pull the {} drawer open",
    "pull the handle of the {} drawer",
)
HELD_OUT_WORDINGS = ("slide the {} drawer out by its handle",)
NEEDED = 0.06  # m
PULLS = (0.075, 0.105)  # m: those who show the task pull a little more than is asked
STILL = 0.01  # m that the other drawers may move


@register_scene("open_drawer")
class OpenDrawer:
    """Success: the named drawer is open by 6 cm, the others stay closed."""

    skill = PULL
    part_classes = ("drawer", "handle")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds a cabinet of two or three drawers; names one."""
        names = add_named_cabinet(spec, factors, opened=(0.0, 0.0))
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return ask_each("drawer", "handle", wording, names)

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the middle of the bar, then straight out."""
        bar = state.middle(goal.part)
        return bar + np.outer([0, 0.5, 1], [rng.uniform(*PULLS), 0, 0])

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads how far the drawers were pulled."""
        pulled = slide(run, goal.target)
        checks = {
            "opened_wrong_drawer": any(slide(run, b) > STILL for b in goal.bystanders),
            "not_opened": pulled < NEEDED,
        }
        return conclude(checks, pulled / NEEDED)


def add_named_cabinet(
    spec: mujoco.MjSpec, factors: Factors, opened: tuple[float, float]
) -> list[str]:
    """Adds a cabinet, things beside it, and names each drawer by colour or place."""
    count = int(factors.rng.integers(2, 4))
    shape = CabinetShape(
        drawers=count,
        width=factors.uniform("shape", (0.082, 0.100), (0.074, 0.080)),
        depth=0.15,
        height=factors.uniform("shape", (0.075, 0.095), (0.068, 0.074)),
        reach=factors.uniform("shape", (0.034, 0.042), (0.042, 0.046)),
        bar=factors.uniform("shape", (0.009, 0.012), (0.012, 0.014)),
        grip=factors.uniform("shape", (0.058, 0.070), (0.052, 0.058)),
    )
    x = factors.uniform("position", (0.44, 0.50), (0.50, 0.52))
    y = factors.uniform("position", (-0.05, 0.05), (0.05, 0.07))
    colours = sample_colours(factors, count)
    out = [float(factors.rng.uniform(*opened)) for _ in range(count)]
    add_cabinet(
        spec,
        shape,
        x,
        y,
        shade(factors, "white"),
        [shade(factors, colour) for colour in colours],
        out,
    )
    half = count * shape.width / 2
    place = Placement(factors.rng)
    front = np.arange(-half, half + 0.05, 0.05)
    place.block([(x + d, y + float(s), 0.05) for d in (-0.1, 0, 0.1) for s in front])
    add_distractors(spec, factors, place)
    sides = name_row(count, find_facing(spec))
    return colours if factors.rng.random() < 0.5 else sides
