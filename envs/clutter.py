"""Small things on the table: those asked for and those in the way."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import mujoco
import numpy as np

from envs import objects
from envs.objects import Circle
from envs.randomization.factors import Factors, Range
from envs.randomization.tints import HELD_OUT, TRAINED, sample_colours, shade
from envs.world import Placement

DISTRACTORS = (("block", "can"), ("bowl", "plate"))  # to train on, held out

__all__ = ["ThingSize", "add_distractors", "add_thing", "sample_colours", "shade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingSize:
    """Ranges of a block's or can's size in metres: train, then held out.

    Attributes:
        radius: A can's radius, or half the side of a block.
        height: The height of either.
    """

    radius: tuple[Range, Range]
    height: tuple[Range, Range]


def add_thing(
    spec: mujoco.MjSpec,
    factors: Factors,
    name: str,
    spot: tuple[float, float],
    colour: str,
    size: ThingSize,
    kinds: tuple[str, ...] = ("block", "can"),
) -> str:
    """Adds a movable block or can and returns which of the kinds it is."""
    kind = factors.choice("shape", kinds, kinds)
    radius = factors.uniform("shape", *size.radius)
    height = factors.uniform("shape", *size.height)
    yaw = float(factors.rng.uniform(-np.pi, np.pi))
    body = objects.add_free_body(spec, name, *spot, yaw)
    if kind == "block":
        half = (radius, radius, height / 2)
        objects.add_block(body, half, shade(factors, colour))
    else:
        objects.add_can(body, radius, height, shade(factors, colour))
    return kind


def add_distractors(
    spec: mujoco.MjSpec,
    factors: Factors,
    place: Placement,
    without: Collection[str] = (),
) -> list[str]:
    """Adds up to three things (four or five when held out) where there is room.

    They are blocks and cans, or bowls and plates when held out.

    Args:
        spec: The scene.
        factors: Draws them.
        place: The table.
        without: Kinds that the instruction could mean, too.

    Returns:
        Names of their bodies.
    """
    names: list[str] = []
    usual, rare = ([k for k in kinds if k not in without] for kinds in DISTRACTORS)
    for _ in range(factors.integer("distractors", (0, 3), (4, 5))):
        kind = factors.choice("distractors", usual, rare)
        radius = float(factors.rng.uniform(0.016, 0.026))
        yaw = float(factors.rng.uniform(-np.pi, np.pi))
        spot = place.place((Circle(x=0, y=0, radius=1.42 * radius),), yaw)
        if spot is None:
            continue
        name = f"other{len(names)}"
        body = objects.add_free_body(spec, name, *spot, yaw)
        _add_kind(body, kind, radius, factors)
        names.append(name)
    return names


def _add_kind(body: object, kind: str, radius: float, factors: Factors) -> None:
    colour = shade(factors, factors.choice("colour", TRAINED, HELD_OUT))
    height = float(factors.rng.uniform(0.025, 0.06))
    if kind == "block":
        objects.add_block(body, (radius, radius, height / 2), colour)
    elif kind == "can":
        objects.add_can(body, radius, height, colour)
    elif kind == "plate":
        objects.add_can(body, 1.3 * radius, 0.008, colour)
    else:
        objects.add_bowl(body, 1.3 * radius, 0.03, colour)
