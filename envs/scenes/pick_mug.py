"""Pick up the named mug by its handle, past other mugs and clutter."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import objects
from envs.factors import Factors
from envs.objects import Circle, MugShape
from envs.predicates import Execution, held_by, rise, tilt, toppled
from envs.records import Outcome
from envs.registry import register_scene
from envs.task import Goal
from envs.world import Placement

COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
HELD_OUT_COLOURS = ("orange", "pink", "cyan", "black")
WORDINGS = (
    "pick up the {} mug by its handle",
    "lift the {} mug by the handle",
    "grab the handle of the {} mug and lift it",
    "raise the {} mug, holding its handle",
)
HELD_OUT_WORDINGS = (
    "take the handle of the {} mug and hold it up",
    "by the handle, bring the {} mug up",
)
LIFT = 0.12  # m, the expert's: half as much again as asked
NEEDED_LIFT = 0.08  # m
UPRIGHT = np.deg2rad(37)  # a full mug would not spill much sooner


@register_scene("pick_mug")
class PickMug:
    """Success: the named mug is up, upright and held by its handle, nothing else fell.

    The camera sees every handle more or less from the side.
    """

    lift_rule = "vertical"
    part_classes = ("mug", "handle")

    def build(self, spec: mujoco.MjSpec, factors: Factors) -> Goal:
        """Adds one to three mugs and up to four other objects; names one mug."""
        place = Placement(factors.rng)
        mugs = self._add_mugs(spec, factors, place)
        clutter = _add_distractors(spec, factors, place)
        colours = list(mugs)
        target = colours[factors.integer("target", (0, len(mugs) - 1), (0, 0))]
        wording = factors.choice("wording", WORDINGS, HELD_OUT_WORDINGS)
        others = [mugs[colour] for colour in colours if colour != target]
        return Goal(
            instruction=wording.format(target),
            target=mugs[target],
            part=f"{mugs[target]}/handle",
            candidates=tuple(f"{mug}/handle" for mug in others),
            bystanders=(*others, *clutter),
            thought=f"{target} mug, handle",
        )

    def _add_mugs(
        self, spec: mujoco.MjSpec, factors: Factors, place: Placement
    ) -> dict[str, str]:
        count = int(factors.rng.choice((1, 2, 3), p=(0.25, 0.45, 0.30)))
        mugs: dict[str, str] = {}
        for colour in factors.sample("colour", count, COLOURS, HELD_OUT_COLOURS):
            shape, name = _sample_mug(factors), f"mug{len(mugs)}"
            yaw = _sample_handle_yaw(factors)
            spot = place.place(shape.footprint(), yaw)
            if spot is None:  # the table is full: one mug less
                continue
            body = objects.add_free_body(spec, name, *spot, yaw)
            objects.add_mug(body, shape, _shade(factors, colour))
            mugs[colour] = name
        return mugs

    def classify(self, part: str) -> int:
        """Class of a part for the tower's training signal: 1 mug, 2 handle."""
        if not part.startswith("mug"):
            return 0
        return 2 if part.endswith("/handle") else 1

    def expert(
        self, model: mujoco.MjModel, data: mujoco.MjData, part: str
    ) -> NDArray[np.float64]:
        """[3, 3] world path: the middle of the handle, then straight up."""
        geoms = np.flatnonzero(model.geom_bodyid == model.body(part).id)
        grasp = data.geom_xpos[geoms].mean(axis=0)
        return grasp + np.array([[0, 0, 0], [0, 0, LIFT / 2], [0, 0, LIFT]])

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        """Reads the settled state; the first reason that applies is given."""
        held = held_by(run, goal.part)
        lifted = rise(run, goal.target)
        checks = {
            "disturbed_others": toppled(run, goal.bystanders, UPRIGHT),
            "lifted_wrong_object": any(rise(run, b) > 0.03 for b in goal.bystanders),
            "missed": lifted < 0.01 and not held,
            "not_by_part": lifted >= 0.01 and not held,
            "not_lifted": lifted < NEEDED_LIFT,
            "tilted": tilt(run.after, goal.target) > UPRIGHT,
        }
        reason = next((name for name, failed in checks.items() if failed), "")
        return Outcome(
            success=not reason,
            reason=reason,
            grasped=held,
            progress=float(np.clip(lifted / NEEDED_LIFT, 0, 1)),
        )


def _sample_mug(factors: Factors) -> MugShape:
    height = factors.uniform("shape", (0.070, 0.092), (0.062, 0.070))
    return MugShape(
        radius=factors.uniform("shape", (0.033, 0.042), (0.030, 0.033)),
        height=height,
        wall=0.005,
        reach=factors.uniform("shape", (0.034, 0.042), (0.042, 0.046)),
        span=0.72 * height,
        thickness=factors.uniform("shape", (0.011, 0.014), (0.014, 0.016)),
    )


def _sample_handle_yaw(factors: Factors) -> float:
    """To the left or right in the image, turned away from or toward the camera.

    Turned away further, the mug hides its handle from the camera, and so from any
    policy: at 30 to 45 degrees the expert failed in 3 scenes of 10.
    """
    side = factors.rng.choice((-1, 1))
    toward = np.deg2rad(factors.uniform("position", (-20, 55), (55, 65)))
    return float(side * (np.pi / 2 - toward))


def _shade(factors: Factors, colour: str) -> objects.Colour:
    shaded = factors.rng.normal(objects.PALETTE[colour], 0.035)
    return tuple(np.clip(shaded, 0, 1))


def _add_distractors(
    spec: mujoco.MjSpec, factors: Factors, place: Placement
) -> list[str]:
    names: list[str] = []
    for _ in range(factors.integer("distractors", (0, 4), (3, 5))):
        kind = factors.choice("distractors", ("block", "can"), ("bowl", "block"))
        radius = float(factors.rng.uniform(0.016, 0.026))
        yaw = float(factors.rng.uniform(-np.pi, np.pi))
        footprint = (Circle(x=0, y=0, radius=1.42 * radius),)
        spot = place.place(footprint, yaw)
        if spot is None:
            continue
        name = f"other{len(names)}"
        body = objects.add_free_body(spec, name, *spot, yaw)
        _add_kind(body, kind, radius, factors)
        names.append(name)
    return names


def _add_kind(body: object, kind: str, radius: float, factors: Factors) -> None:
    colour = _shade(factors, factors.choice("colour", COLOURS, HELD_OUT_COLOURS))
    height = float(factors.rng.uniform(0.025, 0.06))
    if kind == "block":
        objects.add_block(body, (radius, radius, height / 2), colour)
    elif kind == "can":
        objects.add_can(body, radius, height, colour)
    else:
        objects.add_bowl(body, 1.3 * radius, 0.03, colour)
