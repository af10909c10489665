"""Push the named object onto a marked place, without lifting it."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.clutter import ThingSize, add_thing, sample_colours, shade
from envs.naming import list_others
from envs.objects import Circle
from envs.predicates import (
    UNMOVED,
    Execution,
    conclude,
    distance,
    disturbed,
    shift,
    tilt,
)
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import PUSH
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "push the {} {} onto the {} disc",
    "move the {} {} to the {} disc",
    "slide the {} {} onto the {} disc",
)
HELD_OUT_WORDINGS = ("shove the {} {} over to the {} disc",)
SIZE = ThingSize(
    radius=((0.020, 0.027), (0.027, 0.030)), height=((0.030, 0.050), (0.025, 0.030))
)
WITHIN = 0.03  # m from the disc's middle
ZONE = 0.045  # m, radius of the disc that is painted on the table
ROOM = 0.04  # m around an object: for itself and half the hand
TRIES = 20  # layouts before a draw is given up
WAY = (0.10, 0.20)  # m to push
STILL = 0.015  # m that other objects may move
UPRIGHT = np.deg2rad(30)
Spot = tuple[float, float]  # x and y on the table


@register_scene("push_to_target")
class PushToTarget:
    """Success: the named object stands within 3 cm of the disc's middle."""

    skill = PUSH
    part_classes = ("object", "disc")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds one to three blocks and cans and a disc; names one object."""
        *colours, painted = sample_colours(factors, int(factors.rng.integers(2, 5)))
        disc, spots, free = _lay_out(factors, len(colours))
        body = spec.worldbody.add_body(name="disc", pos=(*disc, 0))
        objects.add_paint(body, ZONE, shade(factors, painted))
        kinds = [
            add_thing(spec, factors, f"object{i}", spot, colour, SIZE)
            for i, (spot, colour) in enumerate(zip(spots, colours, strict=False))
        ]
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        bodies = [f"object{i}" for i in range(len(kinds))]
        return [
            Goal(
                instruction=wording.format(colours[i], kind, painted),
                target=bodies[i],
                part=bodies[i],
                place="disc",
                bystanders=list_others(bodies, bodies[i]),
                thought=f"{colours[i]} {kind} to {painted} disc",
            )
            for i, kind in enumerate(kinds)
            if i in free
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path of the top's middle, straight to above the disc."""
        top = state.top(goal.part)
        way = (state.position(goal.place) - top) * (1, 1, 0)
        return top + np.outer([0, 0.5, 1], way)

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads where the objects stand."""
        left = distance(run.after, goal.target, goal.place)
        way = distance(run.before, goal.target, goal.place)
        moved = disturbed(run, goal.bystanders, STILL)
        checks = {
            "moved_others": moved,
            "toppled": tilt(run.after, goal.target) > UPRIGHT,
            "missed": shift(run, goal.target) < UNMOVED,
            "off_target": left > WITHIN,
        }
        return conclude(checks, 1 - left / way)


def _lay_out(factors: Factors, count: int) -> tuple[Spot, list[Spot], list[int]]:
    """The disc's place, those of objects, and which of these can be pushed there."""
    for _ in range(TRIES):
        place = Placement(factors.rng)
        [disc] = place.place_all([(Circle(x=0, y=0, radius=ZONE),)])
        spots = place.place_all([(Circle(x=0, y=0, radius=ROOM),)] * count)
        free = [
            i for i in range(len(spots)) if _is_free(np.array(spots), i, np.array(disc))
        ]
        if free:
            return disc, spots, free
    return disc, spots, []


def _is_free(spots: NDArray[np.float64], i: int, disc: NDArray[np.float64]) -> bool:
    """Whether an object's straight way to the disc is long and clear enough."""
    way = disc - spots[i]
    length = np.linalg.norm(way)
    if not WAY[0] < length < WAY[1]:
        return False
    offset = np.delete(spots, i, axis=0) - spots[i]
    # From where the hand comes down behind the object to beyond the disc.
    along = np.clip(offset @ way / length, -2 * ROOM, length + ROOM)
    aside = offset - np.outer(along, way / length)
    return bool((np.linalg.norm(aside, axis=1) > 2 * ROOM).all())
