"""Pull the door of a cabinet open by its handle, along an arc."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras.viewpoint import find_facing
from envs.clutter import add_distractors, sample_colours, shade
from envs.naming import ask_each, name_row
from envs.objects.furniture import DoorShape, add_door_cabinet
from envs.predicates import Execution, conclude, slide
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.rotation import turn_about
from envs.skills import PULL
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "open the {} door",
    "pull the {} door open",
    "swing the {} door open by its handle",
)
HELD_OUT_WORDINGS = ("pull the handle of the {} door",)
NEEDED = np.deg2rad(25)
PULLS = np.deg2rad((30, 42))  # those who show the task pull a little further
STILL = np.deg2rad(4)  # that the other door may move


@register_scene("open_door")
class OpenDoor:
    """Success: the named door is open by 25 degrees, the other one stays closed."""

    skill = PULL
    part_classes = ("door", "handle")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds a cabinet with two doors, hinged at its sides; names one."""
        names = _add_cabinet(spec, factors)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return ask_each("door", "handle", wording, names)

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[4, 3] world path: the handle's way about the hinge."""
        bar = state.middle(goal.part)
        door = goal.part.partition("/")[0]
        hinge = state.position(door)
        sign = state.model.joint(door).axis[2]
        angle = sign * np.linspace(0, rng.uniform(*PULLS), 4)
        return turn_about(bar, hinge, angle)

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads how far the doors were turned."""
        opened = slide(run, goal.target)
        checks = {
            "opened_wrong_door": any(slide(run, b) > STILL for b in goal.bystanders),
            "not_opened": opened < NEEDED,
        }
        return conclude(checks, opened / NEEDED)


def _add_cabinet(spec: mujoco.MjSpec, factors: Factors) -> list[str]:
    """Adds the cabinet and names each door by colour or place."""
    shape = DoorShape(
        width=factors.uniform("shape", (0.115, 0.135), (0.105, 0.113)),
        depth=0.12,
        height=factors.uniform("shape", (0.080, 0.100), (0.070, 0.078)),
        reach=factors.uniform("shape", (0.044, 0.050), (0.050, 0.054)),
        bar=factors.uniform("shape", (0.009, 0.012), (0.012, 0.014)),
    )
    x = factors.uniform("position", (0.42, 0.47), (0.47, 0.49))
    y = factors.uniform("position", (-0.04, 0.04), (0.04, 0.06))
    colours = sample_colours(factors, 2)
    tints = [shade(factors, colour) for colour in colours]
    add_door_cabinet(spec, shape, x, y, shade(factors, "white"), tints)
    place = Placement(factors.rng)
    front = np.arange(-shape.width, shape.width + 0.05, 0.05)
    place.block([(x + d, y + float(s), 0.06) for d in (-0.1, 0, 0.1) for s in front])
    add_distractors(spec, factors, place)
    sides = name_row(len(colours), find_facing(spec))
    return colours if factors.rng.random() < 0.5 else sides
