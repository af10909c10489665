"""Put the named object into the named bowl."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.clutter import ThingSize, add_thing, sample_colours, shade
from envs.execution.unprojection import carry
from envs.naming import list_others
from envs.objects import Circle
from envs.predicates import (
    UNMOVED,
    Execution,
    conclude,
    distance,
    disturbed,
    in_hand,
    rise,
    shift,
    tilt,
)
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import PLACE
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "put the {} {} into the {} bowl",
    "place the {} {} in the {} bowl",
    "drop the {} {} into the {} bowl",
)
HELD_OUT_WORDINGS = (
    "let the {2} bowl hold the {0} {1}",
    "the {} {} goes in the {} bowl",
)
SIZE = ThingSize(
    radius=((0.016, 0.022), (0.014, 0.016)), height=((0.030, 0.050), (0.028, 0.030))
)
CARRIED = (0.12, 0.16)  # m above the table, the highest point of an arc
INSIDE = 0.03  # m above its place at most: a thing on the rim lies higher
STILL = 0.02  # m that other things may move
UPRIGHT = np.deg2rad(30)


@register_scene("place_in_bowl")
class PlaceInBowl:
    """Success: the named object lies in the named bowl, let go; nothing else moved."""

    skill = PLACE
    part_classes = ("object", "bowl")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds one or two bowls and one to three objects; names one of each."""
        place = Placement(factors.rng)
        bowls = _add_bowls(spec, factors, place)
        things = _add_objects(spec, factors, place)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        bodies = [
            body.name for body in spec.bodies if body.name[:4] in ("obje", "bowl")
        ]
        return [
            Goal(
                instruction=wording.format(*thing, bowl),
                target=f"object{i}",
                part=f"object{i}",
                place=f"bowl{j}",
                bystanders=list_others(bodies, f"object{i}"),
                thought="{} {} to {} bowl".format(*thing, bowl),
            )
            for i, thing in enumerate(things)
            for j, bowl in enumerate(bowls)
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the top of the object, an arc, the bowl's middle."""
        start = state.top(goal.part)
        return carry(start, state.top(goal.place), rng.uniform(*CARRIED))

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads where the object lies."""
        left = distance(run.after, goal.target, goal.place)
        way = distance(run.before, goal.target, goal.place)
        radius = run.start.size(goal.place)[0]  # of its bottom
        moved = disturbed(run, goal.bystanders, STILL)
        tipped = any(tilt(run.after, body) > UPRIGHT for body in goal.bystanders)
        held = in_hand(run, goal.target)
        checks = {
            "held": held,
            "missed": shift(run, goal.target) < UNMOVED,
            "not_inside": left > radius or rise(run, goal.target) > INSIDE,
            "disturbed_others": moved or tipped,
        }
        return conclude(checks, 1 - left / way)


def _add_bowls(spec: mujoco.MjSpec, factors: Factors, place: Placement) -> list[str]:
    """Adds one or two bowls and returns their colours."""
    colours: list[str] = []
    for colour in sample_colours(factors, int(factors.rng.integers(1, 3))):
        radius = factors.uniform("shape", (0.062, 0.072), (0.072, 0.078))
        height = factors.uniform("shape", (0.030, 0.038), (0.026, 0.030))
        spot = place.place((Circle(x=0, y=0, radius=radius),), 0.0)
        if spot is not None:
            name = f"bowl{len(colours)}"
            body = objects.add_free_body(spec, name, *spot, 0.0)
            objects.add_bowl(body, radius, height, shade(factors, colour))
            colours.append(colour)
    return colours


def _add_objects(
    spec: mujoco.MjSpec, factors: Factors, place: Placement
) -> list[tuple[str, str]]:
    """Adds one to three objects and returns the colour and kind of each."""
    colours = sample_colours(factors, int(factors.rng.integers(1, 4)))
    # Room for the open fingers, whichever way they turn.
    spots = place.place_all([(Circle(x=0, y=0, radius=0.05),)] * len(colours))
    return [
        (colour, add_thing(spec, factors, f"object{i}", spot, colour, SIZE))
        for i, (spot, colour) in enumerate(zip(spots, colours, strict=False))
    ]
