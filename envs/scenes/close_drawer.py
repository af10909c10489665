"""Push the named drawer of a cabinet shut."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.naming import ask_each
from envs.predicates import Execution, conclude, slid
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.scenes.open_drawer import add_named_cabinet
from envs.skills import PUSH
from envs.state import State
from envs.task import Goal

WORDINGS = ("close the {} drawer", "push the {} drawer shut", "shut the {} drawer")
HELD_OUT_WORDINGS = ("push the {} drawer back in",)
OPENED = (0.07, 0.10)  # m
LEFT_OPEN = 0.012  # m: nearer than that counts as shut
STILL = 0.01  # m that the other drawers may move


@register_scene("close_drawer")
class CloseDrawer:
    """Success: the named drawer is shut, the others are as open as before."""

    skill = PUSH
    part_classes = ("drawer", "handle")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds a cabinet of two or three open drawers; names one."""
        names = add_named_cabinet(spec, factors, opened=OPENED)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return ask_each("drawer", "handle", wording, names)

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the middle of the bar, then straight in."""
        bar = state.middle(goal.part)
        joint = state.model.joint(goal.part.partition("/")[0])
        way = state.data.qpos[joint.qposadr[0]] - joint.range[0]
        return bar + np.outer([0, 0.5, 1], [-way - 0.01, 0, 0])

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads how far the drawers stand open."""
        joint = run.model.joint(goal.target)
        way = joint.qposadr[0]
        left = run.after.qpos[way] - joint.range[0]
        before = run.before.qpos[way] - joint.range[0]
        moved = slid(run, goal.bystanders, STILL)
        checks = {"moved_wrong_drawer": moved, "not_closed": left > LEFT_OPEN}
        return conclude(checks, 1 - left / before)
