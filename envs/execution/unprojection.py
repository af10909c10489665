"""From a plan in the image to a path of the hand in the world, and back.

Everything comes from rays through pixels, as a calibrated depth camera would give it;
nothing here asks the simulator what an object is. The first waypoint finds the contact
point on the visible surface inside the box. A hand that grips goes to the centre of the
surface near the contact and closes across its narrow side; a hand that pushes starts
behind the surface, seen along the path. The other waypoints carry the hand on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.cameras.camera import intersect_plane, project, rays
from envs.cameras.view import View
from envs.execution.grasp import fit_grasp, go_behind
from envs.records import Camera, Outcome, Plan, Waypoints
from envs.robot import Gripper
from envs.robot.robot import TIP
from envs.skills import Skill

TABLE_MARGIN = 0.006  # m: what is lower counts as table
FARTHEST = 0.015  # m from the first waypoint's ray to the surface it is to touch
ONTO_SURFACE = ("arc", "hook")  # planes in which the last pixel shows a surface
HOOK = 0.020  # m above a peg at which the hand lets go of the handle: tips clear it
LOWEST_TOOL = TIP + 0.005  # m: the fingers end 5 mm above the table
SET_DOWN = 0.004  # m above the surface at which an object is let go
UP = np.array([0.0, 0.0, 1.0])


def unproject(
    view: View, plans: Sequence[Plan], skill: Skill
) -> list[Waypoints | Outcome]:
    """Brings plans from the image into the world.

    Args:
        view: The state, seen by the camera that took the policy's image.
        plans: G plans in image units.
        skill: The task's skill.

    Returns:
        G times the waypoints, or the outcome of a plan that cannot be executed, with
        reason "nothing_in_box", "starts_off_the_box" or "off_the_scene".
    """
    seen = view.cast_boxes([plan.box for plan in plans])
    surfaces = [points[points[:, 2] > TABLE_MARGIN] for points in seen]
    gripper = view.state.robot.gripper
    return [
        _unproject(view, plan, skill, gripper, surface)
        for plan, surface in zip(plans, surfaces, strict=True)
    ]


def flatten(
    camera: Camera, path: NDArray[np.float64], skill: Skill
) -> NDArray[np.float64]:
    """[K, 2] image points that `unproject` turns into a [K, 3] world path.

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
        height: The hand's height half way [m].
    """
    end = surface + np.array([0, 0, start[2] + SET_DOWN])
    top = (start + end) / 2
    top[2] = height
    return np.array([start, top, end])


@dataclass(frozen=True, slots=True, eq=False)
class _Touch:
    """Where a hand comes to a surface.

    Attributes:
        contact: [3] the surface point that the plan touches [m].
        start: [3] the tool's centre there [m].
        yaw: The hand's turn [rad].
        opening: Distance between the fingers [m].
    """

    contact: NDArray[np.float64]
    start: NDArray[np.float64]
    yaw: float
    opening: float


def _unproject(
    view: View,
    plan: Plan,
    skill: Skill,
    gripper: Gripper,
    surface: NDArray[np.float64],
) -> Waypoints | Outcome:
    if len(surface) == 0:
        return Outcome(success=False, reason="nothing_in_box")
    contact, miss = _find_contact(surface, view.camera, plan.waypoints[0])
    if miss > FARTHEST:
        return Outcome(success=False, reason="starts_off_the_box")
    touch = _Touch(contact, contact, np.pi / 2, skill.opening)
    if skill.grips:
        touch = _Touch(contact, *fit_grasp(surface, contact))
    path, yaw = _find_path(view, np.array(plan.waypoints), skill, touch), touch.yaw
    if not np.isfinite(path).all():
        return Outcome(success=False, reason="off_the_scene")
    if not skill.grips and skill.plane == "level":
        path, yaw = go_behind(path, surface, gripper)
    elif not skill.grips:
        path[:, 2] += TIP
    path[:, 2] = np.maximum(path[:, 2], LOWEST_TOOL)
    opening = min(touch.opening, skill.opening, gripper.opening)
    return Waypoints(position_world=path, yaw_rad=yaw, opening=opening)


def _find_contact(
    surface: NDArray[np.float64], camera: Camera, waypoint: tuple[float, ...]
) -> tuple[NDArray[np.float64], float]:
    """The surface point that is seen nearest to a waypoint, and how near [m]."""
    ray = rays(camera, np.array([waypoint[:2]]))[0]
    offset = surface - camera.T_world_camera[:3, 3]
    beside = offset - np.outer(offset @ ray, ray)
    squared = (beside * beside).sum(axis=1)
    nearest = int(np.argmin(squared))
    return surface[nearest], float(np.sqrt(squared[nearest]))


def _find_path(
    view: View, shown: NDArray[np.float64], skill: Skill, touch: _Touch
) -> NDArray[np.float64]:
    """[K, 3] path: the start, then the waypoints in the world."""
    camera, start = view.camera, touch.start
    if shown.shape[1] == 3:
        found = _meet_heights(camera, shown)
        if skill.plane in ONTO_SURFACE:
            return np.vstack([start, found[1:]])
        return start + found - found[0]
    if skill.plane in ONTO_SURFACE:
        return _go_onto_surface(view, shown, skill, start)
    normal = UP
    if skill.plane == "upright":
        normal = camera.T_world_camera[:3, 2] * (1, 1, 0)
    # The hand moves as the path does, wherever exactly on the part it holds.
    found = intersect_plane(camera, shown, touch.contact, normal)
    found[1:-1, 2] += skill.raised
    return start + found - found[0]


def _meet_heights(camera: Camera, shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K, 3] where rays meet the heights that [K, 3] waypoints name."""
    rows = [
        intersect_plane(camera, point[None, :2], point[2] * UP, UP)[0]
        for point in shown
    ]
    return np.array(rows)


def _go_onto_surface(
    view: View,
    shown: NDArray[np.float64],
    skill: Skill,
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[K, 3] path to what the last pixel shows, by an arc or by a level last piece."""
    end = view.cast(shown[-1:])[0]
    end[2] += _height_above(start, skill)
    if skill.plane == "arc":
        return np.vstack([start, _find_arc(view, shown[1:-1], start, end), end])
    front = intersect_plane(view.camera, shown[-2:-1], end, UP)
    above = _find_arc(view, shown[1:-2], start, front[0])
    return np.vstack([start, above, front, end])


def _height_above(grasp: NDArray[np.float64], skill: Skill) -> float:
    """How high the hand ends above the surface that the last pixel shows."""
    return HOOK if skill.plane == "hook" else grasp[2] + SET_DOWN


def _find_arc(
    view: View,
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
    direction = rays(view.camera, point)
    flat = direction[:, :2]
    distance = ((foot - view.origin[:2]) * flat).sum(axis=1) / (flat**2).sum(axis=1)
    return view.origin + distance[:, None] * direction
