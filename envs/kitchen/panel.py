"""A low wall that knobs and switches are mounted on."""

from __future__ import annotations

import mujoco

from envs import objects
from envs.cameras.viewpoint import find_facing
from envs.kitchen import fittings
from envs.naming import name_row
from envs.randomization.factors import Factors

DEEP = 0.03  # m
MARGIN = 0.015  # m on each side of what is mounted


def add_panel(
    spec: mujoco.MjSpec, factors: Factors, count: int, gap: float
) -> list[tuple[float, float, float]]:
    """Adds the body `panel`, its front to the camera, painted, with things around it.

    Args:
        spec: The scene.
        factors: Draws its height, its place and its finish.
        count: Things that will be mounted on it, side by side.
        gap: From one to the next [m].

    Returns:
        x and y of each on the front, and the panel's upper edge [m].
    """
    height = factors.uniform("shape", (0.090, 0.110), (0.110, 0.120))
    half = 0.5 * gap * count + MARGIN
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
    fittings.scatter(spec, factors, rows, y, half)
    return [(x, y + (i - (count - 1) / 2) * gap, height) for i in range(count)]


def choose_names(
    spec: mujoco.MjSpec, factors: Factors, colours: list[str]
) -> list[str]:
    """What two or three things in a row are called: by colour or by place."""
    sides = name_row(len(colours), find_facing(spec))
    return colours if factors.rng.random() < 0.5 else sides
