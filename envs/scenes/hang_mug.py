"""Hang the named mug on a peg by its handle."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.clutter import add_distractors, sample_colours, shade
from envs.execution.unprojection import HOOK
from envs.naming import list_others
from envs.objects import MugSize, sample_mug
from envs.objects.furniture import PEG, add_stand
from envs.predicates import (
    UNMOVED,
    Execution,
    conclude,
    distance,
    disturbed,
    in_hand,
    shift,
    touches,
)
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import HANG
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "hang the {} mug on the peg",
    "hang up the {} mug by its handle",
    "put the handle of the {} mug over the peg",
)
HELD_OUT_WORDINGS = ("the {} mug belongs on the peg",)
SIZE = MugSize(
    height=((0.082, 0.092), (0.078, 0.082)),
    radius=((0.032, 0.038), (0.030, 0.032)),
    reach=((0.038, 0.044), (0.044, 0.046)),
    thickness=((0.010, 0.012), (0.012, 0.013)),
)
PEG_HEIGHTS = (0.146, 0.160)  # m: the hand fits below, what hangs there swings free
OUT = 0.055  # m of that place from the post: room for a finger
LENGTH = 0.085  # m of the peg
PALM = 0.10  # m, half its length
OFF = 0.045  # m from the tip to where the mug comes down: its radius and a bit
CARRIED = (0.245, 0.265)  # m above the table: mugs pass over the peg
STILL = 0.02  # m that the other mugs may move


@register_scene("hang_mug")
class HangMug:
    """Success: the named mug hangs on the peg by its handle, let go."""

    skill = HANG
    part_classes = ("mug", "handle", "peg")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds a stand with a peg and one to three mugs; names one of those."""
        place = Placement(factors.rng, area=((0.49, 0.61), (-0.17, 0.17)))
        toward = _add_stand(spec, factors, place)
        colours = _add_mugs(spec, factors, place, toward)
        bodies = [f"mug{i}" for i in range(len(colours))]
        bodies += add_distractors(spec, factors, place)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return [
            Goal(
                instruction=wording.format(colour),
                target=f"mug{i}",
                part=f"mug{i}/handle",
                place="peg",
                bystanders=list_others(bodies, f"mug{i}"),
                thought=f"{colour} mug, handle, to peg",
            )
            for i, colour in enumerate(colours)
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[4, 3] world path: the handle's top, high above, off the tip, on the peg."""
        upper = 1  # the second of the handle's three bars
        start = state.top(goal.part, upper)
        end = state.position(goal.place) + np.array([0, 0, PEG + HOOK])
        along = state.axes(goal.place)[:, 0] * (1, 1, 0)
        front = end + (LENGTH - OUT + OFF) * along
        above = (start + front) / 2
        above[2] = rng.uniform(*CARRIED)
        return np.array([start, above, front, end])

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads what the mug hangs on."""
        left = distance(run.after, goal.part, goal.place)
        way = distance(run.before, goal.part, goal.place)
        checks = {
            "held": in_hand(run, goal.part),
            "missed": shift(run, goal.target) < UNMOVED,
            "not_hanging": not touches(run, goal.part, goal.place)
            or any(touches(run, part, "world") for part in _list_parts(goal.target)),
            "disturbed_others": disturbed(run, goal.bystanders, STILL),
        }
        return conclude(checks, 1 - left / way)


def _list_parts(mug: str) -> list[str]:
    return [f"{mug}/{part}" for part in ("bottom", "wall", "rim", "handle")]


def _add_stand(spec: mujoco.MjSpec, factors: Factors, place: Placement) -> float:
    """Adds the stand behind the mugs; returns where its peg points to [rad]."""
    x = factors.uniform("position", (0.39, 0.42), (0.42, 0.43))
    y = factors.uniform("position", (-0.06, 0.06), (0.06, 0.09))
    toward = factors.uniform("position", (-0.35, 0.35), (0.35, 0.45))
    height = factors.uniform("shape", PEG_HEIGHTS, (0.140, 0.146))
    colour = shade(factors, factors.choice("colour", ("white", "yellow"), ("orange",)))
    add_stand(spec, (x, y), toward, height, OUT, LENGTH, colour)
    # The palm comes down along the peg, beyond its tip, too: no handle below it.
    ahead = np.outer(
        np.arange(0, LENGTH + PALM, 0.03), [np.cos(toward), np.sin(toward)]
    )
    place.block([(x + float(dx), y + float(dy), 0.035) for dx, dy in ahead])
    return toward


def _add_mugs(
    spec: mujoco.MjSpec, factors: Factors, place: Placement, toward: float
) -> list[str]:
    """Adds mugs whose handles stand across the peg; returns their colours."""
    colours: list[str] = []
    for colour in sample_colours(factors, int(factors.rng.integers(1, 4))):
        shape = sample_mug(factors, SIZE)
        side = factors.rng.choice((-1, 1))
        yaw = toward + side * np.pi / 2 + float(factors.rng.uniform(-0.12, 0.12))
        spot = place.place(shape.footprint(), yaw)
        if spot is not None:
            body = objects.add_free_body(spec, f"mug{len(colours)}", *spot, yaw)
            objects.add_mug(body, shape, shade(factors, colour))
            colours.append(colour)
    return colours
