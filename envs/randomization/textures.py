"""Patterns of the table's surface, the same few in every scene.

Models whose assets are equal share one GL context (`envs.cameras.render`), so a scene
chooses among all of them instead of bringing its own.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

SIZE = 64  # pixels, a side
REPEAT = 4  # tiles along the table
PATTERNS = ("plain", "speckled", "grained")
HELD_OUT_PATTERNS = ("checked", "striped")


def add_patterns(spec: mujoco.MjSpec) -> None:
    """Adds a material for each pattern, to be tinted by a geom's colour."""
    for name in (*PATTERNS, *HELD_OUT_PATTERNS):
        grey = _draw(name)
        texture = spec.add_texture(
            name=name,
            type=mujoco.mjtTexture.mjTEXTURE_2D,
            width=SIZE,
            height=SIZE,
            nchannel=3,
        )
        texture.data = np.repeat((255 * grey).astype(np.uint8), 3).tobytes()
        material = spec.add_material(name=name, texrepeat=(REPEAT, REPEAT))
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _draw(name: str) -> NDArray[np.float64]:
    """[SIZE, SIZE] brightness of a pattern."""
    rng = np.random.default_rng(0)
    half = (np.arange(SIZE) < SIZE // 2).astype(np.float64)
    dark = {
        "plain": np.zeros((SIZE, SIZE)),
        "speckled": 0.35 * (rng.random((SIZE, SIZE)) < 0.15),
        "grained": 0.22 * rng.random((SIZE, 1)) + 0.06 * rng.random((SIZE, SIZE)),
        "checked": 0.25 * abs(half[:, None] - half),
        "striped": 0.25 * half[:, None] + np.zeros(SIZE),
    }
    return 1 - dark[name]
