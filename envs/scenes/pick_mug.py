"""Pick up the named mug by its handle or its rim, past other mugs and clutter."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.cameras.viewpoint import find_facing
from envs.clutter import add_distractors, sample_colours, shade
from envs.naming import list_names, list_others
from envs.objects import MugShape, MugSize, sample_mug
from envs.predicates import UNMOVED, Execution, conclude, held_by, rise, tilt, toppled
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import LIFT
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "pick up the {} mug by its {}",
    "lift the {} mug by the {}",
    "grab the {1} of the {0} mug and lift it",
    "raise the {} mug, holding its {}",
)
HELD_OUT_WORDINGS = (
    "take the {1} of the {0} mug and hold it up",
    "by the {1}, bring the {0} mug up",
)
SIZE = MugSize(
    height=((0.070, 0.092), (0.062, 0.070)),
    radius=((0.033, 0.042), (0.030, 0.033)),
    reach=((0.034, 0.042), (0.042, 0.046)),
    thickness=((0.011, 0.014), (0.014, 0.016)),
)
PARTS = {"handle": 0.65, "rim": 0.35}  # how often each is asked for
COUNTS = (0.10, 0.40, 0.35, 0.15)  # how often there are 1, 2, 3 or 4 mugs
ALIKE = 0.5  # how often several mugs have one colour, and a place or size names one
NEEDED_LIFT = 0.08  # m
LIFTS = (0.086, 0.106)  # m: those who show the task lift a little more than is asked
CARRIED = 0.03  # m: a mug that is only knocked over rises by less
UPRIGHT = np.deg2rad(37)  # a full mug would not spill much sooner


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mug:
    shape: MugShape
    x: float
    y: float
    yaw: float


@register_scene("pick_mug")
class PickMug:
    """Success: the named mug is up, upright, held by the named part; nothing else fell.

    The camera sees every handle more or less from the side.
    """

    skill = LIFT
    part_classes = ("mug", "handle", "rim")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds one to four mugs and other things; names one mug."""
        place = Placement(factors.rng)
        mugs = _place_mugs(factors, place)
        names, colours = _name_mugs(mugs, factors, find_facing(spec))
        for i, (mug, colour) in enumerate(zip(mugs, colours, strict=True)):
            body = objects.add_free_body(spec, f"mug{i}", mug.x, mug.y, mug.yaw)
            objects.add_mug(body, mug.shape, shade(factors, colour))
        bodies = [f"mug{i}" for i in range(len(mugs))]
        bodies += add_distractors(spec, factors, place)
        part = str(factors.rng.choice(list(PARTS), p=list(PARTS.values())))
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return [
            Goal(
                instruction=wording.format(name, part),
                target=f"mug{i}",
                part=f"mug{i}/{part}",
                bystanders=list_others(bodies, f"mug{i}"),
                thought=f"{name} mug, {part}",
            )
            for name, i in names
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: a place to hold the part, then straight up."""
        find = _middle_of_handle if goal.part.endswith("handle") else _free_place_on_rim
        lift = rng.uniform(*LIFTS)
        return find(state, goal.part, rng) + np.outer([0, 0.5, 1], [0, 0, lift])

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads the settled state; the first reason that applies is given."""
        held = held_by(run, goal.part)
        lifted = rise(run, goal.target)
        checks = {
            "disturbed_others": toppled(run, goal.bystanders, UPRIGHT),
            "lifted_wrong_object": any(rise(run, b) > CARRIED for b in goal.bystanders),
            "missed": lifted < UNMOVED and not held,
            "not_by_part": lifted >= UNMOVED and not held,
            "not_lifted": lifted < NEEDED_LIFT,
            "tilted": tilt(run.after, goal.target) > UPRIGHT,
        }
        return conclude(checks, lifted / NEEDED_LIFT, grasped=held)


def _middle_of_handle(
    state: State, part: str, rng: np.random.Generator
) -> NDArray[np.float64]:
    return state.data.geom_xpos[state.geoms(part)].mean(axis=0)


def _free_place_on_rim(
    state: State, part: str, rng: np.random.Generator
) -> NDArray[np.float64]:
    """One of the places on the rim with room for a finger outside the mug.

    Everything else that could be in the way is a visible geom of another part.
    """
    model, data = state.model, state.data
    own = model.geom_bodyid == model.body(part).id
    places = data.geom_xpos[own]
    centre = places.mean(axis=0)
    outward = (places - centre) / np.linalg.norm(places - centre, axis=1, keepdims=True)
    finger = (places + 0.5 * state.robot.gripper.opening * outward)[:, :2]
    wall = model.geom_bodyid == model.body(part.replace("rim", "wall")).id
    bulk = ~own & ~wall & (model.geom_contype == objects.OBJECT_GROUP)
    gap = np.linalg.norm(finger[:, None] - data.geom_xpos[bulk, :2], axis=2)
    room = (gap - model.geom_rbound[bulk]).min(axis=1)
    free = np.flatnonzero(room > 0.015)
    place = rng.choice(free) if len(free) else np.argmax(room)
    return places[place] + (0, 0, model.geom_size[own][0, 2])


def _place_mugs(factors: Factors, place: Placement) -> list[_Mug]:
    mugs: list[_Mug] = []
    for _ in range(factors.rng.choice(len(COUNTS), p=COUNTS) + 1):
        shape, yaw = sample_mug(factors, SIZE), _sample_handle_yaw(factors)
        spot = place.place(shape.footprint(), yaw)
        if spot is not None:  # else the table is full: one mug less
            mugs.append(_Mug(shape=shape, x=spot[0], y=spot[1], yaw=yaw))
    return mugs


def _name_mugs(
    mugs: list[_Mug], factors: Factors, facing: float
) -> tuple[list[tuple[str, int]], list[str]]:
    """What mugs may be called, each with its index, and the colours of all."""
    colours = sample_colours(factors, len(mugs))
    words = list_names(np.array([(m.x, m.y, m.shape.height) for m in mugs]), facing)
    if words and factors.rng.random() < ALIKE:
        names = [(f"{word} {colours[0]}", i) for word, i in words]
        return names, colours[:1] * len(mugs)
    return [(colour, i) for i, colour in enumerate(colours)], colours


def _sample_handle_yaw(factors: Factors) -> float:
    """To the left or right in the image, turned away from or toward the camera.

    Turned away further, the mug hides its handle from the camera, and so from any
    policy: at 30 to 45 degrees the expert failed in 3 scenes of 10.
    """
    side = factors.rng.choice((-1, 1))
    toward = np.deg2rad(factors.uniform("position", (-20, 55), (55, 65)))
    return float(side * (np.pi / 2 - toward))
