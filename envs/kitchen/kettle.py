"""Lift the named kettle by its handle."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras.viewpoint import find_facing
from envs.clutter import add_distractors, sample_colours, shade
from envs.kitchen import fittings
from envs.kitchen.lifting import judge_lift, lift
from envs.mjcf import split_part
from envs.naming import list_names, list_others
from envs.objects import Circle
from envs.predicates import Execution
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import LIFT
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "lift the {} kettle",
    "pick up the {} kettle by its handle",
    "take the {} kettle off the table",
)
HELD_OUT_WORDINGS = ("raise the {} teapot",)
# Few, for every other size has meshes, and with them a graphics context, of its own.
SIZES, HELD_OUT_SIZES = (0.40, 0.43, 0.46), (0.36, 0.38)
COUNTS = (0.15, 0.5, 0.35)  # how often there are 1, 2 or 3 kettles
ALIKE = 0.4  # how often several kettles have one colour, and a place names one
BODY = 0.18  # m at the file's size: the radius that a kettle takes, spout and all


@register_scene("kitchen_kettle", extra=fittings.EXTRA)
class LiftKettle:
    """Success: the named kettle is 6 cm up, held by its handle, no other fell."""

    skill = LIFT
    part_classes = ("kettle", "handle")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds one to three kettles and other things; names one."""
        place = Placement(factors.rng)
        spots = _place(factors, place)
        colours = sample_colours(factors, len(spots))
        features = np.array([(x, y, 0.1) for x, y, _, _ in spots])
        names = [(colour, i) for i, colour in enumerate(colours)]
        words = list_names(features, find_facing(spec))
        if words and factors.rng.random() < ALIKE:
            names, colours = words, colours[:1] * len(spots)
        for i, (spot, colour) in enumerate(zip(spots, colours, strict=True)):
            _add_kettle(spec, i, spot, shade(factors, colour))
        bodies = [f"kettle{i}" for i in range(len(spots))]
        bodies += add_distractors(spec, factors, place)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return [
            Goal(
                instruction=wording.format(name),
                target=f"kettle{i}",
                part=f"kettle{i}/handle",
                bystanders=list_others(bodies, f"kettle{i}"),
                thought=f"{name} kettle, handle",
            )
            for name, i in names
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the handle's middle, then straight up."""
        return lift(state.middle(goal.part), rng)

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads the settled state; the first reason that applies is given."""
        return judge_lift(goal, run, "lifted_wrong_kettle", "not_by_handle")


def _place(
    factors: Factors, place: Placement
) -> list[tuple[float, float, float, float]]:
    """x, y, yaw and scale of as many kettles as there is room for."""
    found = []
    scale = factors.choice("shape", SIZES, HELD_OUT_SIZES)
    for _ in range(1 + int(factors.rng.choice(len(COUNTS), p=COUNTS))):
        # The handle runs from left to right in the image, more or less.
        yaw = np.pi / 2 + factors.uniform("position", (-0.7, 0.7), (0.7, 1.0))
        yaw += np.pi * float(factors.rng.integers(2))  # the spout at either end
        spot = place.place((Circle(x=0, y=0, radius=BODY * scale),), yaw)
        if spot is not None:
            found.append((*spot, float(yaw), scale))
    return found


def _add_kettle(
    spec: mujoco.MjSpec, i: int, spot: tuple[float, ...], colour: Any
) -> None:
    x, y, yaw, scale = spot
    kettle = fittings.add_kettle(spec, f"kettle{i}", (x, y, yaw), scale)
    geoms = list(kettle.geoms)
    for geom in geoms:
        if fittings.is_enamel(geom):
            geom.rgba = (*colour, 1)
    level = [geom for geom in geoms if geom.pos[2] > 0.25 * scale]
    level.sort(key=lambda geom: -geom.size[0])  # the wood, then what is inside it
    split_part(spec, kettle, f"{kettle.name}/handle", level)
