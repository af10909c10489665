"""Fold a cloth: bring one of the clips at its rim to the opposite one."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.clutter import add_distractors, sample_colours, shade
from envs.execution.unprojection import carry
from envs.naming import list_others
from envs.objects.cloth import LEVEL, ClothShape, add_cloth, to_vertex
from envs.predicates import (
    UNMOVED,
    Execution,
    conclude,
    disturbed,
    in_hand,
    rise,
    shift,
    tilt,
)
from envs.randomization.colours import Colour
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import PLACE
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "fold the cloth, bring the {} clip to the {} clip",
    "fold the cloth so that the {} clip lies beside the {} one",
    "fold the {} clip of the cloth over to the {} one",
)
HELD_OUT_WORDINGS = (
    "over the cloth goes its {} clip, next to the {} clip",
    "turn the cloth in half, {} clip to {} clip",
)
CLOTHS: tuple[Colour, ...] = (
    (0.80, 0.84, 0.88),
    (0.25, 0.38, 0.52),
    (0.52, 0.62, 0.45),
    (0.78, 0.55, 0.50),
    (0.55, 0.45, 0.60),
)
HELD_OUT_CLOTHS: tuple[Colour, ...] = ((0.20, 0.42, 0.40), (0.88, 0.80, 0.62))
# Where clips sit, in halves of a side; each is followed by the opposite one.
LAYOUTS = (
    ((-1, -1), (1, 1), (-1, 1), (1, -1)),
    ((-1, 0), (1, 0), (0, -1), (0, 1)),
)
CLIP_DENSITY = 2000  # kg/m^3, of stone: 35 g hold the cloth where it lies
GAP = 0.008  # m between the clips at the end of a fold
CARRIED = (0.065, 0.085)  # m above the table, the highest point: the half hangs clear
WITHIN = 0.025  # m from where the clip is to lie
FLAT = 0.01  # m: a clip that ends higher or lower stands on something
STILL = 0.02  # m that other clips and things may move
UPRIGHT = np.deg2rad(30)


@register_scene("fold_cloth")
class FoldCloth:
    """Success: the named clip stands beside the other, let go; the others stayed."""

    skill = PLACE
    part_classes = ("clip",)

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds a cloth with two to four clips; names one and the opposite one."""
        shape = _sample_shape(factors)
        colours = sample_colours(factors, int(factors.rng.integers(2, 5)))
        spots = _choose_spots(factors.rng)[: len(colours)]
        _add_clips(spec, factors, shape, spots, colours)
        fastened = {
            (to_vertex(i), to_vertex(j)): f"clip{k}" for k, (i, j) in enumerate(spots)
        }
        add_cloth(spec, shape, _choose_tint(factors), fastened)
        place = Placement(factors.rng)
        place.block(_cover(shape, spots))
        others = add_distractors(spec, factors, place)
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return _list_goals(wording, colours, others)

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the top of the clip, an arc, a place before the other."""
        start = state.top(goal.part)
        surface = np.array([*_find_end(goal, state), 0])
        return carry(start, surface, rng.uniform(*CARRIED))

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads where the clips stand."""
        end = _find_end(goal, run.start)
        left = _distance_to(end, run.after, goal.target)
        way = _distance_to(end, run.before, goal.target)
        standing = (
            abs(rise(run, goal.target)) < FLAT
            and tilt(run.after, goal.target) < UPRIGHT
        )
        checks = {
            "held": in_hand(run, goal.target),
            "missed": shift(run, goal.target) < UNMOVED,
            "moved_others": disturbed(run, goal.bystanders, STILL),
            "not_folded": left > WITHIN or not standing,
        }
        return conclude(checks, 1 - left / way)


def _sample_shape(factors: Factors) -> ClothShape:
    return ClothShape(
        x=factors.uniform("position", (0.48, 0.52), (0.46, 0.48)),
        y=factors.uniform("position", (-0.05, 0.05), (0.05, 0.07)),
        yaw=factors.uniform("position", (-0.3, 0.3), (0.3, 0.5)),
        side=factors.uniform("shape", (0.15, 0.18), (0.18, 0.19)),
    )


def _choose_tint(factors: Factors) -> Colour:
    tint = factors.choice("colour", CLOTHS, HELD_OUT_CLOTHS)
    return tuple(np.clip(factors.rng.normal(tint, 0.03), 0, 1))


def _choose_spots(rng: np.random.Generator) -> list[tuple[int, int]]:
    """Four places of clips, opposite ones next to each other."""
    layout = LAYOUTS[int(rng.integers(len(LAYOUTS)))]
    return [*layout[2:], *layout[:2]] if rng.random() < 0.5 else list(layout)


def _add_clips(
    spec: mujoco.MjSpec,
    factors: Factors,
    shape: ClothShape,
    spots: list[tuple[int, int]],
    colours: list[str],
) -> None:
    """Adds clips that stand on the table, their origins where the cloth hangs on."""
    width = factors.uniform("shape", (0.025, 0.028), (0.028, 0.030))
    height = factors.uniform("shape", (0.018, 0.022), (0.022, 0.024))
    half = (0.5 * width + 0.004, 0.5 * width, 0.5 * height)
    for k, ((i, j), colour) in enumerate(zip(spots, colours, strict=True)):
        spot = shape.locate(0.5 * i, 0.5 * j)
        # The narrow side lies along the rim: the fingers close and open beside the way.
        yaw = shape.yaw + np.arctan2(j, i)
        body = objects.add_free_body(spec, f"clip{k}", *spot, yaw, LEVEL)
        objects.add_shape(
            body,
            mujoco.mjtGeom.mjGEOM_BOX,
            size=half,
            pos=(0, 0, half[2] - LEVEL),
            colour=shade(factors, colour),
        )
        body.first_geom().density = CLIP_DENSITY


def _cover(
    shape: ClothShape, spots: list[tuple[int, int]]
) -> list[tuple[float, float, float]]:
    """Circles over the cloth, and over the room of the open fingers at the clips."""
    thirds = (-1 / 3, 0, 1 / 3)
    cells = [(*shape.locate(i, j), 0.24 * shape.side) for i in thirds for j in thirds]
    return cells + [(*shape.locate(0.5 * i, 0.5 * j), 0.045) for i, j in spots]


def _list_goals(wording: str, colours: list[str], others: list[str]) -> list[Goal]:
    """A goal for each clip whose opposite is there."""
    bodies = [f"clip{k}" for k in range(len(colours))]
    return [
        Goal(
            instruction=wording.format(colours[k], colours[k ^ 1]),
            target=bodies[k],
            part=bodies[k],
            place=bodies[k ^ 1],
            bystanders=(*list_others(bodies, bodies[k]), *others),
            thought=f"{colours[k]} clip to {colours[k ^ 1]} clip",
        )
        for k in range(len(bodies))
        if k ^ 1 < len(bodies)
    ]


def _find_end(goal: Goal, state: State) -> NDArray[np.float64]:
    """[2] where the clip is to stand: before the other, seen from where it is."""
    there = state.position(goal.place)[:2]
    way = state.position(goal.target)[:2] - there
    length = 2 * state.size(goal.target)[0]
    return there + (length + GAP) * way / np.linalg.norm(way)


def _distance_to(spot: NDArray[np.float64], data: mujoco.MjData, body: str) -> float:
    """Horizontal distance of a body from a spot [m]."""
    return float(np.linalg.norm(data.body(body).xpos[:2] - spot))
