"""Lift the named one of several household things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.clutter import add_distractors, shade
from envs.kitchen import fittings
from envs.kitchen.lifting import judge_lift, lift
from envs.mjcf import Mjcf, add_mjcf
from envs.naming import list_others
from envs.objects import Circle
from envs.predicates import Execution
from envs.randomization.factors import Factors
from envs.randomization.tints import HELD_OUT, TRAINED
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import LIFT
from envs.state import State
from envs.task import Goal
from envs.world import Placement

FOLDER = Path(__file__).parent / "things"
WORDINGS = ("lift the {}", "pick up the {}", "take the {} off the table")
HELD_OUT_WORDINGS = ("raise the {}", "grasp the {} and hold it up")
SIZES, HELD_OUT_SIZES = (0.95, 1.0, 1.05), (0.9,)
COUNTS = (2, 3, 4)
TINTED = "_tinted"  # ends the names of materials that take a colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A kind of thing.

    Attributes:
        words: What it is called.
        radius: The room that it takes on the table [m].
        turns: How far it may be turned to either side [rad]; what has a handle or a
            long side is grasped where the camera sees it.
    """

    words: str
    radius: float
    turns: float = np.pi


KETTLE = "kettle"  # of the kitchen's file; the others have files of their own
KETTLE_SIZE = 0.4
THINGS: Mapping[str, Thing] = {
    "ball": Thing(words="ball", radius=0.028),
    "bottle": Thing(words="bottle", radius=0.028),
    "bread": Thing(words="bread", radius=0.036, turns=0.5),
    "can": Thing(words="can", radius=0.028),
    "milk": Thing(words="milk", radius=0.026, turns=0.5),
    "mug": Thing(words="mug", radius=0.048),
    KETTLE: Thing(words="kettle", radius=0.07, turns=0.6),
}
HELD_OUT_THINGS: Mapping[str, Thing] = {
    "cereal": Thing(words="cereal box", radius=0.042, turns=0.6),
    "lemon": Thing(words="lemon", radius=0.038),
    "thermos": Thing(words="thermos flask", radius=0.055),
}


@register_scene("pick_thing", extra=fittings.EXTRA)
class PickThing:
    """Success: the named thing is 6 cm up in the hand; nothing else is up or fell."""

    skill = LIFT
    part_classes = ("thing",)

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds two to four different things and others in the way; names one."""
        place = Placement(factors.rng)
        count = int(factors.rng.choice(COUNTS))
        kinds = factors.sample("shape", count, list(THINGS), list(HELD_OUT_THINGS))
        size = factors.choice("shape", SIZES, HELD_OUT_SIZES)
        words = []
        for kind in kinds:
            thing = {**THINGS, **HELD_OUT_THINGS}[kind]
            yaw = float(factors.rng.uniform(-thing.turns, thing.turns))
            spot = place.place((Circle(x=0, y=0, radius=size * thing.radius),), yaw)
            if spot is not None:
                _add_thing(spec, f"thing{len(words)}", kind, (*spot, yaw), size)
                words.append(thing.words)
        bodies = [f"thing{i}" for i in range(len(words))]
        _tint(spec, factors, bodies)
        bodies += add_distractors(spec, factors, place, without=("can",))
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return [
            Goal(
                instruction=wording.format(name),
                target=f"thing{i}",
                part=f"thing{i}",
                bystanders=list_others(bodies, f"thing{i}"),
                thought=name,
            )
            for i, name in enumerate(words)
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: where the thing is best held, then straight up."""
        [grip] = [
            state.data.site_xpos[i]
            for i in range(state.model.nsite)
            if state.model.site(i).name.startswith(f"{goal.target}/")
        ]
        return lift(grip, rng)

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads the settled state; the first reason that applies is given."""
        return judge_lift(goal, run, "lifted_wrong_thing", "not_held")


def _add_thing(
    spec: mujoco.MjSpec,
    name: str,
    kind: str,
    pose: tuple[float, float, float],
    size: float,
) -> Any:
    if kind != KETTLE:
        return add_mjcf(spec, Mjcf(FOLDER / f"{kind}.xml", scale=size), name, *pose)
    x, y, yaw = pose
    pose, size = (x, y, yaw + fittings.FACING), size * KETTLE_SIZE
    return fittings.add_kettle(spec, name, pose, size)


def _tint(spec: mujoco.MjSpec, factors: Factors, bodies: list[str]) -> None:
    """Gives what may have any colour one of the split's."""
    for body in bodies:
        colour = shade(factors, factors.choice("colour", TRAINED, HELD_OUT))
        for geom in spec.body(body).geoms:
            if geom.material.endswith(TINTED) or fittings.is_enamel(geom):
                geom.rgba = (*(0.25 + 0.75 * np.array(colour)), 1)
