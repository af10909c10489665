"""What a calibrated depth camera tells: surface points on the rays through pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras.camera import rays
from envs.meshes.cover import COVERED, is_covered
from envs.records import Camera
from envs.state import State

GRID = 20  # rays along each side of the box: one each 1 to 2 pixels of a handle
FARTHEST = 10.0  # m, length of a ray
SHOWN = np.array([1, 1, 1, 0, 0, 0], np.uint8)  # groups of geoms that cameras show


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A camera that looks at a state.

    Attributes:
        state: What it looks at.
        camera: Its calibration.
    """

    state: State
    camera: Camera

    @property
    def origin(self) -> NDArray[np.float64]:
        """[3] where the camera is [m]."""
        return self.camera.T_world_camera[:3, 3]

    def cast(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """First surface points on the rays through image points.

        Args:
            point: [N, 2] image units.

        Returns:
            [N, 3] world points in metres; NaN where a ray meets nothing.
        """
        start = np.ascontiguousarray(self.origin)
        direction = rays(self.camera, point)
        distance = np.empty(len(point))
        geom = np.empty(len(point), np.int32)
        model, data, flat = self.state.model, self.state.data, direction.ravel()
        groups = SHOWN.copy()
        groups[COVERED] = is_covered(model)  # the shapes, not the meshes over them
        count = len(point)
        mujoco.mj_multiRay(
            model,
            data,
            start,
            flat,
            groups,
            1,
            -1,
            geom,
            distance,
            None,
            count,
            FARTHEST,
        )
        distance[geom < 0] = np.nan
        return start + distance[:, None] * direction

    def cast_boxes(self, boxes: Sequence[tuple]) -> list[NDArray[np.float64]]:
        """For each box in image units, [GRID**2, 3] surface points on rays in it."""
        if not boxes:
            return []
        fraction = (np.arange(GRID) + 0.5) / GRID
        grid = np.stack(np.meshgrid(fraction, fraction), axis=-1).reshape(-1, 2)
        corners = np.array(boxes)
        low, high = corners[:, None, :2], corners[:, None, 2:]
        points = self.cast((low + grid * (high - low)).reshape(-1, 2))
        return np.split(points, len(boxes))
