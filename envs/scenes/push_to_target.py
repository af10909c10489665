"""Push the named object onto a marked place, without lifting it."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.clutter import ThingSize, add_thing, sample_colours, shade
from envs.factors import Factors
from envs.objects import Circle
from envs.predicates import Execution, conclude, distance, shift, tilt
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import PUSH
from envs.task import Goal
from envs.world import AREA, Placement

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
WAY = (0.10, 0.20)  # m to push
STILL = 0.015  # m that other objects may move
UPRIGHT = np.deg2rad(30)


@register_scene("push_to_target")
class PushToTarget:
    """Success: the named object stands within 3 cm of the disc's middle."""

    skill = PUSH
    part_classes = ("object", "disc")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> Goal:
        """Adds one to three blocks and cans and a disc; names one object."""
        place = Placement(factors.rng)
        *colours, painted = sample_colours(factors, int(factors.rng.integers(2, 5)))
        start, end = _draw_way(factors)
        place.block([(*start, 0.05), (*end, ZONE), (*(start + end) / 2, 0.04)])
        kinds = [add_thing(spec, factors, "object0", tuple(start), colours[0], SIZE)]
        for colour in colours[1:]:
            spot = place.place((Circle(x=0, y=0, radius=0.035),), 0.0)
            if spot is not None:
                name = f"object{len(kinds)}"
                kinds.append(add_thing(spec, factors, name, spot, colour, SIZE))
        _add_disc(spec, end, shade(factors, painted))
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        others = tuple(f"object{i}" for i in range(1, len(kinds)))
        return Goal(
            instruction=wording.format(colours[0], kinds[0], painted),
            target="object0",
            part="object0",
            place="disc",
            candidates=others,
            bystanders=others,
            thought=f"{colours[0]} {kinds[0]} to {painted} disc",
        )

    def classify(self, part: str) -> int:
        """Class of a part for the tower's training signal."""
        return 1 if part.startswith("object") else 2 * (part == "disc")

    def expert(
        self,
        goal: Goal,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """[3, 3] world path of the top's middle, straight to above the disc."""
        geom = model.body(goal.part).geomadr[0]
        top = data.geom_xpos[geom].copy()
        top[2] *= 2
        way = (data.body(goal.place).xpos - top) * (1, 1, 0)
        return top + np.outer([0, 0.5, 1], way)

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads where the objects stand."""
        left = distance(run.after, goal.target, goal.place)
        way = distance(run.before, goal.target, goal.place)
        moved = any(shift(run, body) > STILL for body in goal.bystanders)
        checks = {
            "moved_others": moved,
            "toppled": tilt(run.after, goal.target) > UPRIGHT,
            "missed": shift(run, goal.target) < 0.01,
            "off_target": left > WITHIN,
        }
        return conclude(checks, 1 - left / way)


def _draw_way(factors: Factors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and end on the table, far enough apart."""
    low, high = np.array(AREA).T
    while True:
        start, end = factors.rng.uniform(low, high, (2, 2))
        if WAY[0] < np.linalg.norm(end - start) < WAY[1]:
            return start, end


def _add_disc(
    spec: mujoco.MjSpec, spot: NDArray[np.float64], colour: objects.Colour
) -> None:
    """Paints the disc on the table; nothing collides with paint."""
    disc = spec.worldbody.add_body(name="disc", pos=(*spot, 0.0005))
    disc.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=(ZONE, 0.0005, 0),
        rgba=(*colour, 1),
        contype=0,
        conaffinity=0,
    )
