"""Pictures of the whole stage: the arm, the table and shadows, for people."""

from __future__ import annotations

from types import TracebackType

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras.gl import check_process
from envs.cameras.quality import drawing_at
from envs.cameras.viewpoint import OVERVIEW
from envs.meshes.cover import show_cover

WALL_COLOUR = (0.42, 0.46, 0.51, 1.0)
WALL_GLOW = 0.9  # share of its own colour: evens out what the scene's light adds
# Two walls behind the stage, at the floor's edges; without them the sky is black.
WALLS = (((-4.0, 0, 2), (0.05, 9, 4)), ((0, -4.0, 2), (9, 0.05, 4)))


class Overview:
    """A camera beside the table, with shadows; a context manager, or call `close`.

    Args:
        model: A scene's model.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        check_process()
        with drawing_at(model):
            self._renderer = mujoco.Renderer(model, height, width)
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = 0
        show_cover(model, self._option)

    def __enter__(self) -> Overview:
        """The camera itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the camera."""
        self.close()

    def render(
        self, data: mujoco.MjData, camera_name: str = OVERVIEW
    ) -> NDArray[np.uint8]:
        """[height, width, 3] picture of a state whose kinematics are computed."""
        self._renderer.update_scene(data, camera_name, self._option)
        for position, size in WALLS:
            _add_wall(self._renderer.scene, position, size)
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        return self._renderer.render()

    def close(self) -> None:
        """Frees the graphics memory."""
        self._renderer.close()


def _add_wall(
    scene: mujoco.MjvScene,
    position: tuple[float, float, float],
    size: tuple[float, float, float],
) -> None:
    wall = scene.geoms[scene.ngeom]
    mujoco.mjv_initGeom(
        wall,
        mujoco.mjtGeom.mjGEOM_BOX,
        np.array(size, float),
        np.array(position, float),
        np.eye(3).ravel(),
        np.array(WALL_COLOUR, np.float32),
    )
    wall.emission = WALL_GLOW
    wall.specular = 0
    scene.ngeom += 1
