"""GIF and WebP: films that play inside issues, slides and documents, without sound.

They are smaller than the mp4 in pictures a second and in pixels, so that a film of four
answers is a few megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from envs.video.drawing import Image8
from envs.video.files import writing

ENDINGS = (".gif", ".webp")
EVERY = 2  # so many pictures of a film are one here
WIDTH = 400  # pixels
SAMPLES = 12  # pictures that the colours of a GIF are chosen from
QUALITY = 65  # of WebP: words stay legible


def write_animation(path: Path, frames: Iterable[Image8], fps: float) -> None:
    """Writes a .gif or .webp file that repeats for ever; its folder is made.

    Args:
        path: Its ending says which.
        frames: [H, W, 3] pictures of one size.
        fps: How many of them a second.

    Raises:
        ValueError: No frames.
    """
    found = list(_count_equal(frames))
    if not found:
        raise ValueError(f"no frames to write to {path}")
    pictures = [picture for picture, _ in found]
    durations = [round(1000 * EVERY * count / fps) for _, count in found]
    if path.suffix == ".gif":
        pictures = _reduce_colours(pictures)
    first, *others = pictures
    webp: dict[str, Any] = {"quality": QUALITY, "method": 4}
    with writing(path) as partial:
        first.save(
            partial,
            save_all=True,
            append_images=others,
            duration=durations,
            loop=0,
            **(webp if path.suffix == ".webp" else {}),
        )


def _count_equal(frames: Iterable[Image8]) -> Iterator[tuple[Image.Image, int]]:
    """Yields small pictures, and how long each stays."""
    small = (Image.fromarray(frame) for frame in islice(frames, 0, None, EVERY))
    scaled = (
        image.resize(
            (WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS
        )
        for image in small
    )
    for _, equal in groupby(scaled, key=lambda image: image.tobytes()):
        same = list(equal)
        yield same[0], len(same)


def _reduce_colours(pictures: list[Image.Image]) -> list[Image.Image]:
    """The same pictures in 256 colours that all share, so that what rests is left out.

    Without dithering, whose dots would move.
    """
    chosen = pictures[:: max(1, len(pictures) // SAMPLES)]
    stacked = np.concatenate([np.asarray(picture) for picture in chosen])
    # Median cut, Pillow's usual method, forgets a small thing's colour, which may be
    # the one that the instruction names.
    octree = Image.Quantize.FASTOCTREE
    palette = Image.fromarray(stacked).quantize(256, octree)
    none = Image.Dither.NONE
    return [picture.quantize(palette=palette, dither=none) for picture in pictures]
