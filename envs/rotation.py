"""Rotations as MuJoCo takes them: quaternions wxyz."""

from __future__ import annotations

import numpy as np

Quaternion = tuple[float, float, float, float]


def turn_about_z(angle_rad: float) -> Quaternion:
    """The rotation about the vertical that turns x toward y."""
    return (np.cos(angle_rad / 2), 0, 0, np.sin(angle_rad / 2))
