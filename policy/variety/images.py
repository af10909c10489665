"""Images in other light, on other ground and with other things on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from policy.variety.frames import rotate

GRAIN = (3, 40)  # cells of a new ground along the image's side
DEPTH = 0.5  # how far a new ground's pattern may darken
TINT = (0.45, 1.25)  # range of a new ground's brightness
STRANGERS = 6  # most on a ground
WIDE = (0.015, 0.07)  # half of a stranger, of the image's side
CORNERS = (1, 2, 8)  # exponents of its outline: a rhombus, an ellipse, nearly a box
HOLE = (0.4, 0.8)  # of a ring: where it begins, 1 being the outline


def jitter_colour(
    image: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Returns the [H, W, 3] image brighter or darker, warmer or cooler.

    The ranges are small enough that no colour gets another name.
    """
    gain = rng.uniform(0.80, 1.15) * rng.uniform(0.95, 1.05, 3)
    shift = rng.uniform(-10, 10)
    table = np.arange(256)[:, None] * gain + shift
    table = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return np.stack([table[image[..., c], c] for c in range(3)], axis=-1)


def change_ground(
    image: NDArray[np.uint8], ground: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Returns the [H, W, 3] image with another tint and pattern on the [H, W] ground.

    The pattern is cells or soft spots of random brightness, turned and stretched; never
    the regular stripes or checks of tables that are held out.
    """
    tint = rng.uniform(*TINT) * rng.uniform(0.85, 1.15, 3)
    shade = _draw_pattern(len(ground), rng)[ground]
    changed = image.copy()
    changed[ground] = np.clip(image[ground] * shade[:, None] * tint, 0, 255)
    return changed


def add_strangers(
    image: NDArray[np.uint8], ground: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Returns the [H, W, 3] image with things that nobody knows on its [H, W] ground.

    They are discs, rings, boxes and rhombs of any colour and lie behind what is named.
    """
    changed = image.copy()
    for _ in range(rng.integers(1, STRANGERS + 1)):
        shape, light = _draw_stranger(len(ground), rng)
        seen = shape & ground
        changed[seen] = light[seen, None] * rng.uniform(20, 255, 3)
    return changed


def _draw_stranger(
    side: int, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """[side, side] where one is, and how bright, 0.6 to 1 from one end to the other."""
    places = (np.indices((side, side))[::-1].reshape(2, -1) + 0.5) / side
    away = rotate(rng.uniform(0, np.pi)) @ (places - rng.uniform(0, 1, (2, 1)))
    away /= rng.uniform(*WIDE, (2, 1))
    far = (np.abs(away) ** CORNERS[rng.integers(len(CORNERS))]).sum(0)
    hole = rng.uniform(*HOLE) if rng.random() < 0.3 else 0.0
    shape = (far < 1) & (far >= hole)
    light = 0.8 + 0.2 * np.clip(away[0], -1, 1)
    return shape.reshape(side, side), light.reshape(side, side)


def _draw_pattern(side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[side, side] brightness, 1 - `DEPTH` to 1."""
    cells = Image.fromarray(rng.random((64, 64), dtype=np.float32))
    grain = np.geomspace(*GRAIN)[rng.integers(50, size=2)] / side
    turn = rotate(rng.uniform(0, np.pi)) * grain[:, None]
    start = 32 - turn @ (side / 2, side / 2)
    frame = (*turn[0], start[0], *turn[1], start[1])
    how = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR)[rng.integers(2)]
    drawn = cells.transform((side, side), Image.Transform.AFFINE, frame, how)
    return 1 - rng.uniform(0, DEPTH) * np.asarray(drawn, np.float64)
