"""A low wall that knobs and switches are mounted on."""

from __future__ import annotations

from typing import Any

import mujoco

from envs import objects
from envs.kitchen import fittings
from envs.randomization.factors import Factors

DEEP = 0.03  # m


def add_panel(
    spec: mujoco.MjSpec, factors: Factors, half: float, height: float
) -> tuple[Any, float, float]:
    """Adds the body `panel`, its front to the camera, painted, with things around it.

    Args:
        spec: The scene.
        factors: Draws its place and its finish.
        half: Half its width [m].
        height: Its height [m].

    Returns:
        The body, whose origin is the middle of the front's lower edge, and x and y of
        that [m].
    """
    x = factors.uniform("position", (0.44, 0.52), (0.40, 0.43))
    y = factors.uniform("position", (-0.04, 0.04), (0.04, 0.06))
    panel = spec.worldbody.add_body(name="panel", pos=(x, y, 0))
    objects.add_shape(
        panel,
        mujoco.mjtGeom.mjGEOM_BOX,
        size=(DEEP / 2, half, height / 2),
        pos=(-DEEP / 2, 0, height / 2),
        colour=(1, 1, 1),
    )
    fittings.paint(factors, panel.geoms)
    rows = [x, x + 0.05, x + 0.10]
    fittings.scatter(spec, factors, fittings.fill(rows, y - half, y + half))
    return panel, x, y


def choose_names(factors: Factors, colours: list[str]) -> list[str]:
    """What two or three things in a row are called: by colour or by place."""
    sides = ["left", "middle", "right"] if len(colours) == 3 else ["left", "right"]
    return colours if factors.rng.random() < 0.5 else sides
