"""How finely a context draws, which MuJoCo reads off the model as it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import mujoco

# Texels a side: a film's picture takes 40 ms, with the default 4096 120 ms, and a
# context is there in a quarter of the time.
SHADOW_SIZE = 1024


@contextmanager
def drawing_at(model: mujoco.MjModel, samples: int | None = None) -> Iterator[None]:
    """Makes the contexts of a model draw small shadows while the block lasts.

    Args:
        model: It is as before afterwards.
        samples: Samples a pixel; None for the model's own.
    """
    quality = model.vis.quality
    before = quality.shadowsize, quality.offsamples
    quality.shadowsize = SHADOW_SIZE
    if samples is not None:
        quality.offsamples = samples
    try:
        yield
    finally:
        quality.shadowsize, quality.offsamples = before
