"""Sweep the named crumbs into a zone, past others that must stay."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.clutter import add_distractors, sample_colours, shade
from envs.predicates import Execution, conclude, distance, disturbed, held_by, shift
from envs.randomization.factors import Factors
from envs.records import Outcome
from envs.registry import register_scene
from envs.skills import SWEEP
from envs.state import State
from envs.task import Goal
from envs.world import Placement

WORDINGS = (
    "sweep the {} crumbs into the zone",
    "sweep up the {} crumbs and bring them to the disc",
    "use the scraper to move the {} crumbs onto the disc",
)
HELD_OUT_WORDINGS = ("gather the {} crumbs on the disc",)
CRUMB = 0.007  # m, half the side of one
CRUMBS = 3  # of each colour
SPREAD = 0.011  # m of a heap's crumbs from its middle
ZONE = 0.045  # m, radius of the disc
STILL = 0.015  # m that the other crumbs may move
LEAD = 0.06  # m ahead of a heap at which the scraper is in line with it
AHEAD = 0.02  # m of the crumbs from the blade that pushes them


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lane:
    """The direction of sweeping, and a frame along and across it."""

    middle: NDArray[np.float64]
    toward: float

    def at(self, along: float, across: float) -> NDArray[np.float64]:
        """[2] x and y of a point of the lane [m]."""
        c, s = np.cos(self.toward), np.sin(self.toward)
        return self.middle + np.array([[c, -s], [s, c]]) @ (along, across)


@register_scene("sweep_to_zone")
class SweepToZone:
    """Success: all crumbs of the named colour lie on the disc; the others stayed.

    Where the path ends is the same for all colours: what it goes through decides.
    """

    skill = SWEEP
    part_classes = ("scraper", "handle", "crumb", "zone")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> list[Goal]:
        """Adds a scraper, a disc, and between them two heaps of crumbs; names one."""
        # So many loose bodies: steps take a quarter less time.
        spec.option.jacobian = mujoco.mjtJacobian.mjJAC_SPARSE
        lane = _draw_lane(factors)
        _add_scraper(spec, factors, lane)
        _add_zone(spec, factors, lane)
        colours = sample_colours(factors, 2)
        crumbs = _add_heaps(spec, factors, lane, colours)
        place = Placement(factors.rng)
        steps = np.arange(-0.17, 0.20, 0.03)
        place.block([(*lane.at(step, 0.0).tolist(), 0.1) for step in steps])
        clutter = add_distractors(spec, factors, place, without=("plate",))
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        return [
            Goal(
                instruction=wording.format(colour),
                target=f"crumb{i}0",
                part="scraper/handle",
                place="zone",
                bystanders=(*crumbs[1 - i], *clutter),
                thought=f"scraper handle, {colour} crumbs to disc",
            )
            for i, colour in enumerate(colours)
        ]

    def expert(
        self, goal: Goal, state: State, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """[4, 3] world path of the handle: in line with the heap, through it, on."""
        start = state.top(goal.part)
        heap = np.mean([state.position(c) for c in _list_heap(goal.target)], axis=0)
        along = state.axes("scraper")[:, 0]
        end = state.position(goal.place) - AHEAD * along
        path = np.array([start, heap - LEAD * along, heap, end])
        path[:, 2] = start[2] + np.array([0, 1, 1, 0]) * SWEEP.raised
        return path

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads where the crumbs lie."""
        heap = _list_heap(goal.target)
        inside = [distance(run.after, crumb, goal.place) < ZONE for crumb in heap]
        checks = {
            "moved_others": disturbed(run, goal.bystanders, STILL),
            "missed": not any(shift(run, crumb) > STILL for crumb in heap),
            "not_in_zone": not all(inside),
        }
        return conclude(checks, float(np.mean(inside)), held_by(run, goal.part))


def _list_heap(crumb: str) -> list[str]:
    """The crumbs of the same colour: `crumb10` is the first of the second heap."""
    return [f"{crumb[:-1]}{i}" for i in range(CRUMBS)]


def _draw_lane(factors: Factors) -> _Lane:
    """Across the image, to the left or to the right."""
    x = factors.uniform("position", (0.48, 0.52), (0.52, 0.54))
    side = float(factors.rng.choice((-1, 1)))
    turn = factors.uniform("position", (-0.25, 0.25), (0.25, 0.35))
    return _Lane(middle=np.array([x, 0.0]), toward=side * (np.pi / 2 + turn))


def _add_scraper(spec: mujoco.MjSpec, factors: Factors, lane: _Lane) -> None:
    shape = objects.ScraperShape(
        width=factors.uniform("shape", (0.068, 0.076), (0.064, 0.068)),
        depth=0.03,
        height=factors.uniform("shape", (0.044, 0.052), (0.052, 0.056)),
    )
    x, y = lane.at(-0.13, float(factors.rng.uniform(-0.03, 0.03)))
    body = objects.add_free_body(spec, "scraper", x, y, lane.toward)
    colour = factors.choice("colour", ("white", "yellow", "blue"), ("black", "cyan"))
    objects.add_scraper(body, shape, shade(factors, colour))


def _add_zone(spec: mujoco.MjSpec, factors: Factors, lane: _Lane) -> None:
    spot = lane.at(0.12, float(factors.rng.uniform(-0.03, 0.03)))
    colour = factors.choice("colour", ("white", "green"), ("black", "pink"))
    zone = spec.worldbody.add_body(name="zone", pos=(*spot, 0))
    objects.add_paint(zone, ZONE, shade(factors, colour))


def _add_heaps(
    spec: mujoco.MjSpec, factors: Factors, lane: _Lane, colours: list[str]
) -> list[tuple[str, ...]]:
    """Adds a heap on each side of the lane; returns their bodies."""
    sides = factors.rng.permutation((-1, 1))
    for i, (side, colour) in enumerate(zip(sides, colours, strict=True)):
        across = side * factors.uniform("position", (0.048, 0.060), (0.060, 0.066))
        middle = lane.at(float(factors.rng.uniform(-0.02, 0.02)), float(across))
        start = float(factors.rng.uniform(0, 2 * np.pi))
        for j in range(CRUMBS):
            angle = start + 2 * np.pi * j / CRUMBS
            x, y = middle + SPREAD * np.array([np.cos(angle), np.sin(angle)])
            yaw = float(factors.rng.uniform(0, np.pi))
            crumb = objects.add_free_body(spec, f"crumb{i}{j}", x, y, yaw)
            objects.add_block(crumb, (CRUMB, CRUMB, CRUMB), shade(factors, colour))
    return [tuple(f"crumb{i}{j}" for j in range(CRUMBS)) for i in range(len(colours))]
