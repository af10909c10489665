"""Images in other light, on other ground and in other frames, with their answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from policy.sft_example import Example

ZOOM = (0.86, 1.04)
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
    shade = _draw_pattern(ground.shape, rng)[ground]
    image = example.image.copy()
    image[ground] = np.clip(image[ground] * shade[:, None] * tint, 0, 255)
    return replace(example, image=image)


def _draw_pattern(
    shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """[H, W] brightness, 1 - `DEPTH` to 1."""
    cells = rng.random((64, 64), dtype=np.float32)
    angle, width = rng.uniform(0, np.pi), shape[1]
    scale = np.exp(rng.uniform(*np.log(GRAIN), 2)) / width
    across = scale * (np.cos(angle), np.sin(angle))
    along = scale[::-1] * (-np.sin(angle), np.cos(angle))
    frame = (across[0], across[1], 32 - across.sum() * width / 2)
    frame += (along[0], along[1], 32 - along.sum() * width / 2)
    how = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR)[rng.integers(2)]
    drawn = Image.fromarray(cells).transform(
        shape[::-1], Image.Transform.AFFINE, frame, how
    )
    return 1 - rng.uniform(0, DEPTH) * np.asarray(drawn)


def move_frame(example: Example, rng: np.random.Generator) -> Example:
    """Returns the example seen by a camera that is turned a little and zooms.

    Both move pixels and answer alike. An answer that would leave the frame stays.
    """
    zoom, (dx, dy) = rng.uniform(*ZOOM), rng.uniform(-SHIFT, SHIFT, 2)

    def move(x: float, y: float) -> tuple[float, float]:
        return 0.5 + zoom * (x - 0.5) + dx, 0.5 + zoom * (y - 0.5) + dy

    plan = example.plan
    box = (*move(*plan.box[:2]), *move(*plan.box[2:]))
    points = tuple((*move(*p[:2]), *p[2:]) for p in plan.waypoints)
    ends = [*box, *(v for p in points for v in p[:2])]
    if min(ends) <= 0 or max(ends) >= 1:
        return example
    side = example.image.shape[0]
    start = side * (0.5 - (0.5 + np.array([dx, dy])) / zoom)
    frame = (1 / zoom, 0, start[0], 0, 1 / zoom, start[1])
    return replace(
        example,
        image=_resample(example.image, frame, Image.Resampling.BILINEAR, GREY),
        parts=_resample(example.parts, frame, Image.Resampling.NEAREST, 0),
        target=_resample(
            example.target.view(np.uint8), frame, Image.Resampling.NEAREST, 0
        ).view(np.bool_),
        plan=replace(plan, box=box, waypoints=points),
    )


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
