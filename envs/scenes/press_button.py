"""Press the named button of a panel, and no other."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.clutter import add_distractors, sample_colours, shade
from envs.naming import ask_each
from envs.predicates import Execution, conclude, slide
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.rotation import turn_about_z
from envs.skills import PRESS
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = ("press the {} button", "push the {} button down", "touch the {} button")
HELD_OUT_WORDINGS = ("hit the {} button",)
TRAVEL = 0.016  # m; a pressed button stays down
NEEDED = 0.009  # m
PRESSES = (0.012, 0.016)  # m: those who show the task press a little deeper
LARGEST = 0.003  # m that another button may move


@register_scene("press_button")
class PressButton:
    """Success: the named button is down by 9 mm, all others are up."""

    skill = PRESS
    part_classes = ("button",)

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds a panel of two to four buttons; names one."""
        colours = sample_colours(factors, int(factors.rng.integers(2, 5)))
        _add_panel(spec, factors, colours)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return ask_each("button", "", wording, colours)

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the button's top, then straight down."""
        return state.top(goal.part) - np.outer(
            [0, 0.5, 1], [0, 0, rng.uniform(*PRESSES)]
        )

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads which buttons are down."""
        down = -slide(run, goal.target)
        checks = {
            "pressed_wrong_button": any(
                -slide(run, b) > LARGEST for b in goal.bystanders
            ),
            "not_pressed": down < NEEDED,
        }
        return conclude(checks, down / NEEDED)


def _add_panel(spec: mujoco.MjSpec, factors: Factors, colours: list[str]) -> None:
    """A box with buttons in a row or two, turned a little."""
    x = factors.uniform("position", (0.44, 0.56), (0.40, 0.43))
    y = factors.uniform("position", (-0.08, 0.08), (0.08, 0.10))
    yaw = factors.uniform("position", (-0.5, 0.5), (0.5, 0.7))
    radius = factors.uniform("shape", (0.017, 0.022), (0.014, 0.016))
    height = factors.uniform("shape", (0.025, 0.040), (0.018, 0.024))
    gap = 2 * radius + float(factors.rng.uniform(0.020, 0.030))
    half = 0.5 * gap * len(colours)
    panel = spec.worldbody.add_body(name="panel", pos=(x, y, 0), quat=turn_about_z(yaw))
    grey = shade(factors, "white")
    objects.add_block(panel, (0.035, half, height / 2), grey)
    for i, colour in enumerate(colours):
        along = (i - (len(colours) - 1) / 2) * gap
        button = panel.add_body(name=f"button{i}", pos=(0, along, height))
        objects.add_give(button, TRAVEL)
        objects.add_can(button, radius, 0.020, shade(factors, colour))
        spec.add_exclude(bodyname1=panel.name, bodyname2=button.name)
    place = Placement(factors.rng)
    ends = np.linspace(-half, half, 5)
    place.block([(x - np.sin(yaw) * e, y + np.cos(yaw) * e, 0.06) for e in ends])
    add_distractors(spec, factors, place)
