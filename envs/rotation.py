"""Rotations as MuJoCo takes them: quaternions wxyz."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Quaternion = tuple[float, float, float, float]


def turn_about_z(angle_rad: float) -> Quaternion:
    """The rotation about the vertical that turns x toward y."""
    return (np.cos(angle_rad / 2), 0, 0, np.sin(angle_rad / 2))


def turn_about(
    point: NDArray[np.float64],
    centre: NDArray[np.float64],
    angles: NDArray[np.float64],
    axis: int = 2,
) -> NDArray[np.float64]:
    """[K, 3] where a point comes to by turns about an axis of the world.

    Args:
        point: [3] before.
        centre: [3] of the turn: any point of the axis.
        angles: [K] rad.
        axis: 0 for x, 1 for y, 2 for z.
    """
    offset = point - centre
    one, other = (axis + 1) % 3, (axis + 2) % 3
    c, s = np.cos(angles), np.sin(angles)
    turned = np.empty((len(angles), 3))
    turned[:, axis] = offset[axis]
    turned[:, one] = c * offset[one] - s * offset[other]
    turned[:, other] = s * offset[one] + c * offset[other]
    return centre + turned
