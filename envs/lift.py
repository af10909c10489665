"""From a plan in the image to a grasp and a path in the world.

Everything comes from rays through pixels, as a calibrated depth camera would give it;
nothing here asks the simulator what an object is. The first waypoint finds the contact
point; the visible surface inside the box and near the contact gives the grasp: its
centre, with the fingers closing across its narrow side. The other waypoints carry the
hand on.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import arm
from envs.camera import intersect_plane, rays
from envs.kinematics import nearest_yaw
from envs.records import Camera, Outcome, Plan, Waypoints

GRID = 20  # rays along each side of the box: one each 1 to 2 pixels of a handle
TABLE_MARGIN = 0.006  # m: what is lower counts as table
REACH = 0.02  # m, spread of the weight around the contact point: 1.8 to 2.2 cm gave
# the best turn of the hand (median error 3 degrees) over 120 mugs
LOWEST_TOOL = 0.015  # m: the fingertips end 1 cm below the tool's centre
NEAREST, FARTHEST = 0.25, 0.85  # m: path points beyond the arm's reach are unreachable
UP = np.array([0.0, 0.0, 1.0])


def lift(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    camera: Camera,
    plans: Sequence[Plan],
    rule: str,
) -> list[Waypoints | Outcome]:
    """Lifts plans into the world.

    Args:
        model: The scene's model.
        data: Its state, kinematics computed.
        camera: The camera that took the policy's image.
        plans: G plans in image units.
        rule: A task's `lift_rule` for 2D waypoints.

    Returns:
        G times the waypoints, or the outcome of a plan that cannot be executed, with
        reason "nothing_in_box" or "off_the_scene".
    """
    surfaces = _surfaces_in_boxes(model, data, camera, [plan.box for plan in plans])
    return [
        _lift_one(model, data, camera, plan, rule, surface)
        for plan, surface in zip(plans, surfaces, strict=True)
    ]


def _lift_one(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    camera: Camera,
    plan: Plan,
    rule: str,
    surface: NDArray[np.float64],
) -> Waypoints | Outcome:
    if len(surface) == 0:
        return Outcome(success=False, reason="nothing_in_box")
    grasp, yaw = _fit_grasp(surface, _contact(surface, camera, plan.waypoints[0]))
    path = _lift_path(model, data, camera, plan, rule, grasp)
    if not np.isfinite(path).all():
        return Outcome(success=False, reason="off_the_scene")
    path[:, 2] = np.maximum(path[:, 2], LOWEST_TOOL)
    return Waypoints(position_world=path, yaw_rad=yaw, opening=arm.MAX_OPENING)


def cast(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    camera: Camera,
    point: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[N, 3] first surface points on the rays through image points; NaN where none."""
    start = np.ascontiguousarray(camera.T_world_camera[:3, 3])
    direction = rays(camera, point)
    distance = np.empty(len(point))
    geom = np.empty(len(point), np.int32)
    flat = direction.ravel()
    mujoco.mj_multiRay(
        model, data, start, flat, None, 1, -1, geom, distance, None, len(point), 10.0
    )
    distance[geom < 0] = np.nan
    return start + distance[:, None] * direction


def _surfaces_in_boxes(
    model: mujoco.MjModel, data: mujoco.MjData, camera: Camera, boxes: Sequence[tuple]
) -> list[NDArray[np.float64]]:
    """For each box, [N, 3] visible points inside it that stand above the table."""
    if not boxes:
        return []
    fraction = (np.arange(GRID) + 0.5) / GRID
    grid = np.stack(np.meshgrid(fraction, fraction), axis=-1).reshape(-1, 2)
    corners = np.array(boxes)
    low, high = corners[:, None, :2], corners[:, None, 2:]
    points = cast(model, data, camera, (low + grid * (high - low)).reshape(-1, 2))
    return [p[p[:, 2] > TABLE_MARGIN] for p in np.split(points, len(boxes))]


def _contact(
    surface: NDArray[np.float64], camera: Camera, waypoint: tuple[float, ...]
) -> NDArray[np.float64]:
    """The surface point that is seen nearest to a waypoint."""
    ray = rays(camera, np.array([waypoint[:2]]))[0]
    offset = surface - camera.T_world_camera[:3, 3]
    miss = np.linalg.norm(offset - np.outer(offset @ ray, ray), axis=1)
    return surface[np.argmin(miss)]


def _fit_grasp(
    surface: NDArray[np.float64], contact: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Centre of the surface near the contact and the direction of its narrow side.

    The weight falls off smoothly, so that a pixel more or less in the box moves the
    hand a little and never turns it.
    """
    weight = np.exp(-0.5 * ((surface - contact) ** 2).sum(axis=1) / REACH**2)
    weight /= weight.sum()
    centre = weight @ surface
    flat = surface[:, :2] - centre[:2]
    _, axes = np.linalg.eigh((flat * weight[:, None]).T @ flat)
    narrow = axes[:, 0]
    return centre, nearest_yaw(float(np.arctan2(narrow[1], narrow[0])))


def _lift_path(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    camera: Camera,
    plan: Plan,
    rule: str,
    grasp: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[K, 3] tool path: the grasp, then the lifted waypoints."""
    rest = np.array(plan.waypoints[1:])
    point = rest[:, :2]
    if rest.shape[1] == 3:
        # The ray meets the horizontal plane at the height that the waypoint names.
        points = [
            intersect_plane(camera, point[i : i + 1], height * UP, UP)[0]
            for i, height in enumerate(rest[:, 2])
        ]
        return np.array([grasp, *points])
    if rule == "vertical":
        facing = camera.T_world_camera[:3, 2] * (1, 1, 0)
        return np.vstack([grasp, intersect_plane(camera, point, grasp, facing)])
    return np.vstack([grasp, cast(model, data, camera, point)])
