"""Turn the named knob of a stove by pressing its marked end down."""

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
    "turn the {} knob",
    "turn the {} knob of the stove clockwise",
    "turn the {} knob down by its coloured end",
)
HELD_OUT_WORDINGS = ("switch the burner on with the {} knob",)
NEEDED = np.deg2rad(35)
TURNS = np.deg2rad((48, 62))  # those who show the task turn a little further
RIGHT = (0.5**0.5, 0, 0, -(0.5**0.5))  # a quarter clockwise: in the file it points up
MARK = 1.5  # times as thick as in the file: to be seen, and pressed
OUT = 0.006  # m before the mark's middle: a fingertip there clears the knob's disc
STILL = np.deg2rad(8)  # that another knob may move


@register_scene("kitchen_knob", extra=fittings.EXTRA)
class TurnKnob:
    """Success: the named knob is turned by 35 degrees, unforced; the others are not."""

    skill = PRESS
    part_classes = ("knob", "mark")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds a panel with two or three knobs; names one."""
        colours = sample_colours(factors, int(factors.rng.integers(2, 4)))
        scale = factors.uniform("shape", (0.80, 0.92), (0.74, 0.79))
        gap = 0.125 * scale + float(factors.rng.uniform(0.010, 0.022))
        spots = add_panel(spec, factors, len(colours), gap)
        for i, ((x, y, top), colour) in enumerate(zip(spots, colours, strict=True)):
            knob = _add_knob(spec, i, (x, y, top - 0.03), scale)
            for geom in spec.body(f"knob{i}/mark").geoms:
                geom.rgba, geom.material = (*shade(factors, colour), 1), ""
            fittings.keep_apart(spec, "panel", knob.name)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return ask_each("knob", "mark", wording, choose_names(spec, factors, colours))

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[5, 3] world path: the top of the marked end, then its way about the knob."""
        radius = state.size(goal.part)[0]
        end = state.middle(goal.part) + np.array([OUT, 0, radius])
        centre = np.array([end[0], *state.position(goal.target)[1:]])
        turn = np.linspace(0, rng.uniform(*TURNS), 5)
        return turn_about(end, centre, -turn, axis=0)

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads how far the knobs were turned."""
        turned = -slide(run, goal.target)
        checks = {
            "turned_wrong_knob": slid(run, goal.bystanders, STILL),
            "forced": fittings.forced(run),
            "not_turned": turned < NEEDED,
        }
        return conclude(checks, turned / NEEDED)


def _add_knob(
    spec: mujoco.MjSpec, i: int, spot: tuple[float, ...], scale: float
) -> Any:
    """A knob whose marked end points to the right and turns down."""
    knob = fittings.add_fixture(spec, "knob 1", f"knob{i}", spot, scale)
    fittings.turn(knob, RIGHT)
    fittings.loosen(knob.joints[0], knob.name, friction=0.15, damping=0.03)
    knob.gravcomp = 1
    mark = [geom for geom in knob.geoms if geom.pos[1] > 0.03 * scale]
    fittings.thicken(mark, MARK)
    part = split_part(spec, knob, f"{knob.name}/mark", mark)
    fittings.harden(part.geoms)
    return knob
