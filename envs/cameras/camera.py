"""The pinhole camera: from the world to the image and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.records import Camera
from envs.state import State

# MuJoCo's cameras look along -z with y up; OpenCV's look along z with y down.
_OPENCV_FROM_MUJOCO = np.diag([1.0, -1.0, -1.0])


def read_camera(state: State, name: str, width: int, height: int) -> Camera:
    """Calibration of a named camera of a scene, at the given image size."""
    camera = state.model.camera(name)
    focal = 0.5 * height / np.tan(0.5 * np.deg2rad(camera.fovy[0]))
    K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    pose = np.eye(4)
    pose[:3, :3] = state.data.cam_xmat[camera.id].reshape(3, 3) @ _OPENCV_FROM_MUJOCO
    pose[:3, 3] = state.data.cam_xpos[camera.id]
    return Camera(width=width, height=height, K=K, T_world_camera=pose)


def project(camera: Camera, position_world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Image of world points.

    Args:
        camera: The camera.
        position_world: [N, 3] points in metres, in front of the camera.

    Returns:
        [N, 2] image units (fractions of width and height).
    """
    rotation, origin = camera.T_world_camera[:3, :3], camera.T_world_camera[:3, 3]
    ray = (position_world - origin) @ rotation @ camera.K.T
    return ray[:, :2] / ray[:, 2:] / (camera.width, camera.height)


def rays(camera: Camera, point: NDArray[np.float64]) -> NDArray[np.float64]:
    """World directions through image points, of unit length.

    Args:
        camera: The camera.
        point: [N, 2] image units; the centre of pixel (i, j) is ((i+.5)/W, (j+.5)/H).

    Returns:
        [N, 3] unit vectors from the camera's origin.
    """
    focal, centre = camera.K.diagonal()[:2], camera.K[:2, 2]
    flat = (point * (camera.width, camera.height) - centre) / focal
    rotation = camera.T_world_camera[:3, :3]
    direction = flat @ rotation[:, :2].T + rotation[:, 2]
    return direction / np.sqrt((direction * direction).sum(axis=1, keepdims=True))


def intersect_plane(
    camera: Camera,
    point: NDArray[np.float64],
    origin_world: NDArray[np.float64],
    normal_world: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Where the rays through image points meet a plane.

    Args:
        camera: The camera.
        point: [N, 2] image units.
        origin_world: [3] a point of the plane.
        normal_world: [3] its normal.

    Returns:
        [N, 3] world points; not finite, or behind the camera, never: such rays
        (parallel to the plane or meeting it behind the camera) give NaN.
    """
    start = camera.T_world_camera[:3, 3]
    direction = rays(camera, point)
    slope = direction @ normal_world
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = ((origin_world - start) @ normal_world) / slope
    distance = np.where(np.isfinite(distance) & (distance > 0), distance, np.nan)
    return start + distance[:, None] * direction


def look_at(position: NDArray[np.float64], target: NDArray[np.float64]) -> tuple:
    """MuJoCo's `xyaxes` of a camera at a position that looks at a target, upright."""
    back = position - target
    right = np.cross((0.0, 0.0, 1.0), back)
    right /= np.linalg.norm(right)
    up = np.cross(back, right)
    return (*right, *(up / np.linalg.norm(up)))
