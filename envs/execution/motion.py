"""From waypoints to joint targets over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.records import Waypoints
from envs.robot import Gripper, Robot
from envs.skills import Skill
from envs.world import TIME_STEP

APPROACH = 0.07  # m above the grasp where the simulated part of a plan starts
WITHDRAWAL = 0.08  # m above the end of a path, where a hand that lets go rises to
DESCENT_S, CLOSE_S, OPEN_S, WITHDRAWAL_S = 0.40, 0.28, 0.20, 0.25
TOOL_SPEED = 0.25  # m/s along the path
SLOWEST_S, QUANTUM_S = 0.3, 0.1  # path times are rounded up to the quantum
LONGEST_M = 1.2  # longer paths are refused: no arm of this size needs them
PIECE = 0.04  # m between inverse kinematics targets: 0.7 mm off a straight line
RESTING = 0.0  # m, target of the half opening from which a hand lets go


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """A plan as the simulator plays it.

    Attributes:
        start: [N + 2] positions of N joints and two fingers above the grasp.
        control: [T, N + 1] joint and gripper targets, one row a physics step.
        smoothness: 0..1, of the tool's path.
    """

    start: NDArray[np.float64]
    control: NDArray[np.float64]
    smoothness: float


def plan_motions(
    batch: list[Waypoints], skill: Skill, robot: Robot
) -> list[Motion | None]:
    """Joint-space motions; None where a target is out of the arm's reach.

    All targets of all plans are solved in one batch.
    """
    if not batch:
        return []
    paths = [_tool_path(waypoints, skill) for waypoints in batch]
    along = [_arc_length(path) for path in paths]
    targets = [_list_targets(*item, skill) for item in zip(paths, along, strict=True)]
    counts = [len(points) for points in targets]
    yaw = np.repeat([waypoints.yaw_rad for waypoints in batch], counts)
    q, reached = robot.solve(np.concatenate(targets), yaw)
    pieces = [slice(end - n, end) for end, n in zip(np.cumsum(counts), counts)]
    return [
        _motion(q[piece], length[-1], waypoints, skill, robot.gripper)
        if reached[piece].all()
        else None
        for piece, length, waypoints in zip(pieces, along, batch, strict=True)
    ]


def score_smoothness(position_world: NDArray[np.float64]) -> float:
    """How evenly a path runs: 1 straight on, 0 if every turn goes right back.

    Args:
        position_world: [K, 3] path in metres.
    """
    step, length = _measure_steps(position_world)
    moves = length > 1e-6
    step = step[moves] / length[moves, None]
    if len(step) < 2:
        return 1.0
    cosine = (step[1:] * step[:-1]).sum(axis=1)
    return float(np.clip((1 + cosine) / 2, 0, 1).mean())


def ease(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far along a movement is at a share 0..1 of its time: slow at both ends."""
    return t * t * (3 - 2 * t)


def _list_targets(
    path: NDArray[np.float64], length: NDArray[np.float64], skill: Skill
) -> NDArray[np.float64]:
    """[N, 3] targets: above the start, the path in short pieces, above the end."""
    above = path[0] + (0, 0, APPROACH)
    middle = path[0] + (0, 0, APPROACH / 2)
    pieces = max(2, int(np.ceil(min(length[-1], LONGEST_M) / PIECE)) + 1)
    at = np.linspace(0, length[-1], pieces)
    fine = np.stack([np.interp(at, length, path[:, i]) for i in range(3)], axis=1)
    leave = path[-1:] + np.array([0, 0, WITHDRAWAL])
    return np.vstack([above, middle, fine, *([leave] if skill.withdraws else [])])


def _tool_path(waypoints: Waypoints, skill: Skill) -> NDArray[np.float64]:
    """[K, 3] path; what is carried leaves its place and comes down vertically."""
    path = waypoints.position_world
    if not skill.carries:
        return path
    low = len(path) - (2 if skill.plane == "hook" else 1)  # where it has come down
    up, down = path[0].copy(), path[low].copy()
    up[2], down[2] = max(path[0, 2], path[1, 2]), max(path[low, 2], path[low - 1, 2])
    return np.vstack([path[0], up, path[1:low], down, path[low:]])


def _arc_length(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """[K] length of a [K, 3] path up to each of its points."""
    return np.concatenate([[0], np.cumsum(_measure_steps(path)[1])])


def _measure_steps(
    path: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[K - 1, 3] steps of a [K, 3] path, and their [K - 1] lengths."""
    step = path[1:] - path[:-1]
    return step, np.sqrt((step * step).sum(axis=1))


def _motion(
    q: NDArray[np.float64],
    length: float,
    waypoints: Waypoints,
    skill: Skill,
    gripper: Gripper,
) -> Motion | None:
    if length > LONGEST_M:
        return None
    path_s = max(SLOWEST_S, np.ceil(length / TOOL_SPEED / QUANTUM_S) * QUANTUM_S)
    half = waypoints.opening / 2
    last = len(q) - (2 if skill.withdraws else 1)  # target at which the path ends
    pieces = [_Piece(q[:3], DESCENT_S, half, half)]
    hold = half
    if skill.grips:
        # The fingers close at an even speed. Left to the motor alone they slam shut:
        # they then knocked handles away, and verdicts depended on the time step.
        hold = gripper.squeeze
        pieces.append(_Piece(q[2:3], CLOSE_S, half, hold))
    pieces.append(_Piece(q[2 : last + 1], path_s, hold, hold))
    if skill.releases:
        pieces.append(_Piece(q[last : last + 1], OPEN_S, RESTING, half))
        hold = half
    if skill.withdraws:
        pieces.append(_Piece(q[-2:], WITHDRAWAL_S, hold, hold))
    pieces.append(_Piece(q[-1:], skill.settles_s, hold, hold))
    return Motion(
        start=np.concatenate([q[0], [half, half]]),
        control=_join(pieces),
        smoothness=score_smoothness(waypoints.position_world),
    )


class _Piece(NamedTuple):
    """A part of a motion.

    Attributes:
        knots: [K, N] joint positions to go through; of one alone the arm stays there.
        duration_s: How long it takes.
        first: Target of the half opening at its start [m].
        last: And at its end [m]; in between it changes evenly.
    """

    knots: NDArray[np.float64]
    duration_s: float
    first: float
    last: float


def _join(pieces: Sequence[_Piece]) -> NDArray[np.float64]:
    """[T, N + 1] controls of pieces one after the other."""
    counts = [_steps(piece.duration_s) for piece in pieces]
    control = np.empty((sum(counts), pieces[0].knots.shape[1] + 1))
    end = 0
    for (knots, _, first, last), count in zip(pieces, counts, strict=True):
        rows = control[end : (end := end + count)]
        rows[:, :-1] = _ease(knots, count) if len(knots) > 1 else knots
        rows[:, -1] = last if first == last else np.linspace(first, last, count)
    return control


def _steps(duration_s: float) -> int:
    return round(duration_s / TIME_STEP)


def _ease(q: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """[T, N] joint positions through evenly spaced knots, slow at both ends."""
    knot, share, rest = _blend(len(q), steps)
    return rest * q[knot] + share * q[knot + 1]


@lru_cache
def _blend(
    knots: int, steps: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """[T] knots between which each step lies; [T, 1] shares of the next and of it."""
    t = np.arange(1, steps + 1) / steps
    along = ease(t) * (knots - 1)
    knot = np.minimum(along.astype(int), knots - 2)
    share = (along - knot)[:, None]
    return knot, share, 1 - share
