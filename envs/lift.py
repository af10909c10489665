"""From a plan in the image to a path of the hand in the world, and back.

Everything comes from rays through pixels, as a calibrated depth camera would give it;
nothing here asks the simulator what an object is. The first waypoint finds the contact
point on the visible surface inside the box. A hand that grips goes to the centre of the
surface near the contact and closes across its narrow side; a hand that pushes starts
behind the surface, seen along the path. The other waypoints carry the hand on.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.camera import intersect_plane, project, rays
from envs.grasp import fit_grasp, go_behind
from envs.records import Camera, Outcome, Plan, Waypoints
from envs.skills import Skill

GRID = 20  # rays along each side of the box: one each 1 to 2 pixels of a handle
TABLE_MARGIN = 0.006  # m: what is lower counts as table
FARTHEST = 0.015  # m from the first waypoint's ray to the surface it is to touch
LOWEST_TOOL = 0.015  # m: the fingertips end 1 cm below the tool's centre
ONTO_SURFACE = ("arc", "hook")  # planes in which the last pixel shows a surface
HOOK = 0.020  # m above a peg at which the hand lets go of the handle: tips clear it
SET_DOWN = 0.004  # m above the surface at which an object is let go
TIP = 0.01  # m from the tool's centre to the end of the fingers
UP = np.array([0.0, 0.0, 1.0])
SEEN = np.array([1, 1, 1, 0, 0, 0], np.uint8)  # groups of geoms that cameras show


def lift(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    camera: Camera,
    plans: Sequence[Plan],
    skill: Skill,
) -> list[Waypoints | Outcome]:
    """Lifts plans into the world.

    Args:
        model: The scene's model.
        data: Its state, kinematics computed.
        camera: The camera that took the policy's image.
        plans: G plans in image units.
        skill: The task's skill.

    Returns:
        G times the waypoints, or the outcome of a plan that cannot be executed, with
        reason "nothing_in_box", "starts_off_the_box" or "off_the_scene".
    """
    surfaces = _surfaces_in_boxes(model, data, camera, [plan.box for plan in plans])
    return [
        _lift_one(model, data, camera, plan, skill, surface)
        for plan, surface in zip(plans, surfaces, strict=True)
    ]


def flatten(
    camera: Camera, path: NDArray[np.float64], skill: Skill
) -> NDArray[np.float64]:
    """[K, 2] image points that `lift` turns into a [K, 3] world path.

    The last point of an arc is shown where the held object will stand, not the hand;
    a path that is raised is shown where it starts, as its shadow on that level.
    """
    shown = path.copy()
    if skill.plane in ONTO_SURFACE:
        shown[-1, 2] -= _height_above(path[0], skill)
    if skill.raised:
        shown[:, 2] = path[0, 2]
    return project(camera, shown)


def carry(
    start: NDArray[np.float64], surface: NDArray[np.float64], height: float
) -> NDArray[np.float64]:
    """[3, 3] path of the hand that sets what it holds down on a surface.

    Args:
        start: [3] where the hand grips.
        surface: [3] where the object, which stands on the table, is to stand.
        height: Of the hand half way [m].
    """
    end = surface + np.array([0, 0, start[2] + SET_DOWN])
    top = (start + end) / 2
    top[2] = height
    return np.array([start, top, end])


def _lift_one(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    camera: Camera,
    plan: Plan,
    skill: Skill,
    surface: NDArray[np.float64],
) -> Waypoints | Outcome:
    if len(surface) == 0:
        return Outcome(success=False, reason="nothing_in_box")
    contact, miss = _contact(surface, camera, plan.waypoints[0])
    if miss > FARTHEST:
        return Outcome(success=False, reason="starts_off_the_box")
    start, yaw, opening = contact, np.pi / 2, skill.opening
    if skill.grips:
        start, yaw, opening = fit_grasp(surface, contact)
    path = _lift_path(model, data, camera, plan, skill, contact, start)
    if not np.isfinite(path).all():
        return Outcome(success=False, reason="off_the_scene")
    if not skill.grips and skill.plane == "level":
        path, yaw = go_behind(path, surface)
    elif not skill.grips:
        path[:, 2] += TIP
    path[:, 2] = np.maximum(path[:, 2], LOWEST_TOOL)
    return Waypoints(
        position_world=path, yaw_rad=yaw, opening=min(opening, skill.opening)
    )


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
        model, data, start, flat, SEEN, 1, -1, geom, distance, None, len(point), 10.0
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
) -> tuple[NDArray[np.float64], float]:
    """The surface point that is seen nearest to a waypoint, and how near [m]."""
    ray = rays(camera, np.array([waypoint[:2]]))[0]
    offset = surface - camera.T_world_camera[:3, 3]
    miss = np.linalg.norm(offset - np.outer(offset @ ray, ray), axis=1)
    nearest = int(np.argmin(miss))
    return surface[nearest], float(miss[nearest])


def _lift_path(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    camera: Camera,
    plan: Plan,
    skill: Skill,
    contact: NDArray[np.float64],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[K, 3] path: the start, then the lifted waypoints."""
    shown = np.array(plan.waypoints)
    if shown.shape[1] == 3:
        lifted = _lift_heights(camera, shown)
        if skill.plane in ONTO_SURFACE:
            return np.vstack([start, lifted[1:]])
        return start + lifted - lifted[0]
    if skill.plane in ONTO_SURFACE:
        return _lift_onto_surface(model, data, camera, shown, skill, start)
    normal = UP
    if skill.plane == "upright":
        normal = camera.T_world_camera[:3, 2] * (1, 1, 0)
    # The hand moves as the path does, wherever exactly on the part it holds.
    lifted = intersect_plane(camera, shown, contact, normal)
    lifted[1:-1, 2] += skill.raised
    return start + lifted - lifted[0]


def _lift_heights(camera: Camera, shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K, 3] where rays meet the heights that [K, 3] waypoints name."""
    rows = [
        intersect_plane(camera, point[None, :2], point[2] * UP, UP)[0]
        for point in shown
    ]
    return np.array(rows)


def _lift_onto_surface(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    camera: Camera,
    shown: NDArray[np.float64],
    skill: Skill,
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[K, 3] path to what the last pixel shows, by an arc or by a level last piece."""
    end = cast(model, data, camera, shown[-1:])[0]
    end[2] += _height_above(start, skill)
    if skill.plane == "arc":
        return np.vstack([start, _lift_arc(camera, shown[1:-1], start, end), end])
    front = intersect_plane(camera, shown[-2:-1], end, UP)
    above = _lift_arc(camera, shown[1:-2], start, front[0])
    return np.vstack([start, above, front, end])


def _height_above(grasp: NDArray[np.float64], skill: Skill) -> float:
    """How high the hand ends above the surface that the last pixel shows."""
    return HOOK if skill.plane == "hook" else grasp[2] + SET_DOWN


def _lift_arc(
    camera: Camera,
    point: NDArray[np.float64],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[K, 3] points on the rays, nearest to the vertical lines along the way.

    An image does not show how far along a point in the air is; its place in the list
    does, as if the points were evenly spaced.
    """
    share = np.arange(1, len(point) + 1) / (len(point) + 1)
    foot = (start + share[:, None] * (end - start))[:, :2]
    direction = rays(camera, point)
    origin = camera.T_world_camera[:3, 3]
    flat = direction[:, :2]
    distance = ((foot - origin[:2]) * flat).sum(axis=1) / (flat**2).sum(axis=1)
    return origin + distance[:, None] * direction
