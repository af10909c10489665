"""Images in other light, on other ground and in other frames, with their answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from policy.sft_example import Example

ZOOM = (0.86, 1.04)
TALL = (0.93, 1.12)  # height of things against their width
ROLL = 0.10  # rad
SHIFT = 0.07  # of the image's side
GRAIN = (3, 40)  # cells of a new ground along the image's side
DEPTH = 0.5  # of a new ground's pattern: how dark against how bright
TINT = (0.45, 1.25)  # of a new ground's brightness
GREY = 127  # where a moved frame shows what was not rendered


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


def change_ground(example: Example, rng: np.random.Generator) -> Example:
    """Returns the example with another tint and pattern wherever there is no part.

    The pattern is cells or soft spots of random brightness, turned and stretched; never
    the regular stripes or checks of tables that are held out.
    """
    ground = example.parts == 0
    tint = rng.uniform(*TINT) * rng.uniform(0.85, 1.15, 3)
    shade = _draw_pattern(len(ground), rng)[ground]
    image = example.image.copy()
    image[ground] = np.clip(image[ground] * shade[:, None] * tint, 0, 255)
    return replace(example, image=image)


def _draw_pattern(side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[side, side] brightness, 1 - `DEPTH` to 1."""
    cells = Image.fromarray(rng.random((64, 64), dtype=np.float32))
    grain = np.geomspace(*GRAIN)[rng.integers(50, size=2)] / side
    turn = _rotate(rng.uniform(0, np.pi)) * grain[:, None]
    start = 32 - turn @ (side / 2, side / 2)
    frame = (*turn[0], start[0], *turn[1], start[1])
    how = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR)[rng.integers(2)]
    drawn = cells.transform((side, side), Image.Transform.AFFINE, frame, how)
    return 1 - rng.uniform(0, DEPTH) * np.asarray(drawn, np.float64)


def _rotate(angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def move_frame(example: Example, rng: np.random.Generator) -> Example:
    """Returns the example seen by a camera that turns, rolls and zooms a little.

    All move pixels and answer alike, and so does a little height against width, as
    seen from another height. An answer that would leave the frame stays.
    """
    turn, shift = _draw_frame(rng)
    corners = _list_corners(example.target) @ turn.T + shift
    points = np.array([p[:2] for p in example.plan.waypoints]) @ turn.T + shift
    ends = np.concatenate([corners, points])
    if ends.min() <= 0 or ends.max() >= 1:
        return example
    box = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
    heights = [p[2:] for p in example.plan.waypoints]
    waypoints = tuple((*p, *h) for p, h in zip(points.tolist(), heights, strict=True))
    back = np.linalg.inv(turn)
    start = len(example.image) * (back @ -shift)
    frame = (*back[0], start[0], *back[1], start[1])
    nearest, target = Image.Resampling.NEAREST, example.target.view(np.uint8)
    return replace(
        example,
        image=_resample(example.image, frame, Image.Resampling.BILINEAR, GREY),
        parts=_resample(example.parts, frame, nearest, 0),
        target=_resample(target, frame, nearest, 0).view(np.bool_),
        plan=replace(example.plan, box=box, waypoints=waypoints),
    )


def _draw_frame(
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[2, 2] and [2]: a point of the image comes to turn @ point + shift."""
    scale = rng.uniform(*ZOOM) * np.array([1, rng.uniform(*TALL)])
    turn = _rotate(rng.uniform(-ROLL, ROLL)) * scale
    return turn, 0.5 - turn @ (0.5, 0.5) + rng.uniform(-SHIFT, SHIFT, 2)


def _list_corners(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[4 N, 2] corners of the N pixels of a mask, in image units."""
    pixels = np.argwhere(mask)[:, ::-1]
    corners = pixels[:, None] + np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
    return corners.reshape(-1, 2) / len(mask)


def _resample(
    pixels: NDArray, frame: tuple, how: Image.Resampling, outside: int
) -> NDArray:
    height, width = pixels.shape[:2]
    fill = (outside,) * 3 if pixels.ndim == 3 else outside
    image = Image.fromarray(pixels)
    moved = image.transform(
        (width, height), Image.Transform.AFFINE, frame, how, fillcolor=fill
    )
    return np.asarray(moved)
