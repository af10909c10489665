"""The camera's floor: mujoco's own renderer, drawing one view again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras.quality import drawing_at
from envs.state import State


@contextmanager
def open_renderer(
    state: State, camera_name: str, size: int
) -> Iterator[Callable[[], NDArray[np.uint8]]]:
    """Yields what draws a [size, size, 3] image as `envs.cameras.render` does."""
    model = state.model
    with drawing_at(model, samples=0):
        renderer = mujoco.Renderer(model, size, size)
    try:
        renderer.update_scene(state.data, camera_name)
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        yield renderer.render
    finally:
        renderer.close()
