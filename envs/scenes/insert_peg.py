"""Put the named peg into the named socket, gently."""

from __future__ import annotations

from itertools import product

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.clutter import add_distractors, sample_colours, shade
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
from envs.robot.parts import add_force_sensor
from envs.skills import INSERT
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "insert the {} peg into the {} socket",
    "put the {} peg into the {} socket",
    "plug the {} peg into the {} socket",
)
HELD_OUT_WORDINGS = ("fill the {1} socket with the {0} peg",)
PLAY = 0.008  # m between peg and socket on every side: 3 to 4 pixels of the image
RING = 0.009  # m, thickness of a socket's wall
LARGEST_FORCE = 30.0  # N on the socket; a peg that slides in gives it 0 to 15
SUNK = 0.005  # m above the table at most: a peg on the socket's rim stands 12 or more
STILL = 0.01  # m that the other pegs may move
UPRIGHT = np.deg2rad(15)
UP = (0, 0, INSERT.raised)


@register_scene("insert_peg")
class InsertPeg:
    """Success: the named peg stands in the named socket, and was not forced into it."""

    skill = INSERT
    part_classes = ("peg", "socket")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds one to three pegs and one or two sockets that all of them fit."""
        place = Placement(factors.rng)
        radius = factors.uniform("shape", (0.014, 0.018), (0.018, 0.020))
        sockets = _add_sockets(spec, factors, place, radius)
        pegs = _add_pegs(spec, factors, place, radius)
        add_distractors(spec, factors, place, without=("can",))  # looks like a peg
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        bodies = [f"peg{i}" for i in range(len(pegs))]
        return [
            Goal(
                instruction=wording.format(peg, socket),
                target=f"peg{i}",
                part=f"peg{i}",
                place=f"socket{j}",
                bystanders=list_others(bodies, f"peg{i}"),
                thought=f"{peg} peg to {socket} socket",
            )
            for (i, peg), (j, socket) in product(enumerate(pegs), enumerate(sockets))
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the peg's top, above the way, over the socket."""
        top = state.top(goal.part)
        way = (state.position(goal.place) - top) * (1, 1, 0)
        return top + np.outer([0, 0.5, 1], way) + np.outer([0, 1, 0], UP)

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads where the peg stands, and how hard the hand was pushed back."""
        left = distance(run.after, goal.target, goal.place)
        way = distance(run.before, goal.target, goal.place)
        checks = {
            "forced": run.peak_forces[goal.place] > LARGEST_FORCE,
            "held": in_hand(run, goal.target),
            "missed": shift(run, goal.target) < UNMOVED,
            "not_inserted": left > 2 * PLAY or rise(run, goal.target) > SUNK,
            "tilted": tilt(run.after, goal.target) > UPRIGHT,
            "disturbed_others": disturbed(run, goal.bystanders, STILL),
        }
        return conclude(checks, 1 - left / way)


def _add_sockets(
    spec: mujoco.MjSpec, factors: Factors, place: Placement, radius: float
) -> list[str]:
    """Adds one or two rings that are fixed to the table; returns their colours."""
    colours = sample_colours(factors, int(factors.rng.integers(1, 3)))
    outer = radius + PLAY + RING
    # Room for the open fingers beside the ring.
    spots = place.place_all([(Circle(x=0, y=0, radius=outer + 0.02),)] * len(colours))
    height = factors.uniform("shape", (0.016, 0.022), (0.012, 0.016))
    for i, (x, y) in enumerate(spots):
        ring = spec.worldbody.add_body(name=f"socket{i}", pos=(x, y, 0))
        add_force_sensor(spec, ring.name)
        objects.add_ring(ring, outer, RING, 0.0, height, shade(factors, colours[i]))
    return colours[: len(spots)]


def _add_pegs(
    spec: mujoco.MjSpec, factors: Factors, place: Placement, radius: float
) -> list[str]:
    """Adds one to three pegs; returns their colours."""
    colours = sample_colours(factors, int(factors.rng.integers(1, 4)))
    spots = place.place_all([(Circle(x=0, y=0, radius=0.045),)] * len(colours))
    for i, spot in enumerate(spots):
        height = factors.uniform("shape", (0.055, 0.065), (0.065, 0.070))
        body = objects.add_free_body(spec, f"peg{i}", *spot, yaw=0.0)
        objects.add_can(body, radius, height, shade(factors, colours[i]))
    return colours[: len(spots)]
