"""Flip the named switch on a wall down."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.clutter import sample_colours, shade
from envs.kitchen import fittings
from envs.kitchen.panel import add_panel, choose_names
from envs.mjcf import split_part
from envs.naming import ask_each
from envs.predicates import Execution, conclude, slid, slide
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.rotation import turn_about
from envs.skills import PRESS
from envs.state import State
from envs.task import Goal

WORDINGS = (
    "flip the {} switch",
    "push the {} light switch down",
    "turn the light off with the {} switch",
)
HELD_OUT_WORDINGS = ("press the lever of the {} switch down",)
# Few, for every other size has meshes, and with them a graphics context, of its own.
SIZES, HELD_OUT_SIZES = (0.60, 0.66, 0.72), (0.54, 0.57)
NEEDED = np.deg2rad(33)  # of 40; half of a press comes to 27
FLIPS = np.deg2rad((32, 39))  # those who show the task flip it almost all the way
STILL = np.deg2rad(6)  # that another switch may move
UPWARD = (0.5**0.5, 0, -(0.5**0.5), 0)  # in the file it flips from right to left
TIP = 0.6  # of the lever's half length from its middle, where it is pressed


@register_scene("kitchen_switch", extra=fittings.EXTRA)
class FlipSwitch:
    """Success: the named switch is down, unforced; the others are as they were."""

    skill = PRESS
    part_classes = ("switch", "lever")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds a panel with two or three switches; names one."""
        colours = sample_colours(factors, int(factors.rng.integers(2, 4)))
        scale = factors.choice("shape", SIZES, HELD_OUT_SIZES)
        gap = 0.075 + float(factors.rng.uniform(0.010, 0.030))
        spots = add_panel(spec, factors, len(colours), gap)
        for i, ((x, y, top), colour) in enumerate(zip(spots, colours, strict=True)):
            lever = _add_switch(spec, i, (x, y, 0.6 * top), scale)
            for geom in lever.geoms:
                geom.rgba, geom.material = (*shade(factors, colour), 1), ""
            fittings.keep_apart(spec, "panel", f"case{i}", f"switch{i}")
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return ask_each(
            "switch", "lever", wording, choose_names(spec, factors, colours)
        )

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[4, 3] world path: on the lever, near its tip, then about its hinge."""
        geom = state.geoms(goal.part)[0]
        radius, half = state.model.geom_size[geom, :2]
        axes = state.data.geom_xmat[geom].reshape(3, 3)
        out = axes[:, 2] * np.sign(axes[0, 2])
        tip = state.middle(goal.part) + TIP * half * out
        tip += radius * np.array([-out[2], 0, out[0]])
        hinge = state.data.joint(goal.target).xanchor
        turn = np.linspace(0, rng.uniform(*FLIPS), 4)
        return turn_about(tip, hinge, turn, axis=1)

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads how far the switches were turned."""
        turned = -slide(run, goal.target)
        checks = {
            "flipped_wrong_switch": slid(run, goal.bystanders, STILL),
            "forced": fittings.forced(run),
            "not_flipped": turned < NEEDED,
        }
        return conclude(checks, turned / NEEDED)


def _add_switch(
    spec: mujoco.MjSpec, i: int, spot: tuple[float, ...], scale: float
) -> Any:
    """A switch that points up and flips down; its lever."""
    case = fittings.add_fixture(spec, "lightswitchbaseroot", f"case{i}", spot, scale)
    fittings.turn(case, UPWARD)
    switch = spec.body(f"case{i}/lightswitchroot")
    switch.name = f"switch{i}"
    switch.gravcomp = 1
    fittings.loosen(switch.joints[0], switch.name, friction=0.06, damping=0.02)
    return split_part(spec, switch, f"{switch.name}/lever", switch.geoms)
