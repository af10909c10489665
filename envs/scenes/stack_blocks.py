"""Set the named block on top of another one."""

from __future__ import annotations

from itertools import permutations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.clutter import ThingSize, add_thing, sample_colours
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
    "stack the {} block on the {} block",
    "put the {} block on top of the {} block",
    "place the {} block on the {} one",
)
HELD_OUT_WORDINGS = ("build a tower: {} block on {} block",)
SIZE = ThingSize(
    radius=((0.018, 0.024), (0.024, 0.027)), height=((0.034, 0.048), (0.030, 0.034))
)
CARRIED = (0.12, 0.16)  # m above the table, the highest point of an arc
FLUSH = 0.005  # m: a block that lies higher or lower leans on something
LEVEL = np.deg2rad(15)
STILL = 0.02  # m that the other blocks may move


@register_scene("stack_blocks")
class StackBlocks:
    """Success: the named block stands on the other, let go; nothing else moved."""

    skill = PLACE
    part_classes = ("block",)

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds two to four blocks; names the one to move and the one to build on."""
        place = Placement(factors.rng)
        blocks = sample_colours(factors, int(factors.rng.integers(2, 5)))
        # Room for the open fingers, whichever way they turn.
        spots = place.place_all([(Circle(x=0, y=0, radius=0.048),)] * len(blocks))
        for i, spot in enumerate(spots):
            add_thing(spec, factors, f"block{i}", spot, blocks[i], SIZE, ("block",))
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        bodies = [f"block{i}" for i in range(len(spots))]
        return [
            Goal(
                instruction=wording.format(blocks[i], blocks[j]),
                target=f"block{i}",
                part=f"block{i}",
                place=f"block{j}",
                bystanders=list_others(bodies, f"block{i}"),
                thought=f"{blocks[i]} block on {blocks[j]} block",
            )
            for i, j in permutations(range(len(spots)), 2)
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the top of the block, an arc, the other's top."""
        start = state.top(goal.part)
        return carry(start, state.top(goal.place), rng.uniform(*CARRIED))

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads where the blocks stand."""
        side, _, half = run.start.size(goal.place)
        left = distance(run.after, goal.target, goal.place)
        way = distance(run.before, goal.target, goal.place)
        checks = {
            "held": in_hand(run, goal.target),
            "missed": shift(run, goal.target) < UNMOVED,
            "not_on_top": left > side or abs(rise(run, goal.target) - 2 * half) > FLUSH,
            "not_level": tilt(run.after, goal.target) > LEVEL,
            "disturbed_others": disturbed(run, goal.bystanders, STILL),
        }
        return conclude(checks, 1 - left / way)
