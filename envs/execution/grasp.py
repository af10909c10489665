"""Where a hand grips what is seen, and where it comes down to push it.

Both are read off the visible surface inside the box, [N, 3] world points, alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.robot import Gripper
from envs.robot.solver import nearest_yaw

REACH = 0.02  # m, spread of the weight around the contact point: 1.8 to 2.2 cm gave
# the best turn of the hand (median error 3 degrees) over 120 mugs
UPPER = 0.008  # m below the highest point near the contact: the upper surface
DEPTH = 0.015  # m of the tool's centre below it, or half way to the table
CLEARANCE = 0.012  # m between each open finger and the side of what it will grip
SQUARE = 0.5  # ratio of spreads above which a surface has no narrow side
HAND_WIDTH = 0.025  # m to each side of a push in which a surface is met
GAP, STANDOFF = 0.002, 0.02  # m: between finger and surface; where a push comes down


def fit_grasp(
    surface: NDArray[np.float64], contact: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, float]:
    """Fits a grasp from above to what is near the contact, across its narrow side.

    Only the upper surface counts: what is seen of the near side would draw the hand
    towards the camera. The weight falls off smoothly, so that a pixel more or less in
    the box moves the hand a little.

    Args:
        surface: [N, 3] what is seen inside the box [m].
        contact: [3] one of its points, that the plan touches [m].

    Returns:
        [3] the tool's centre [m], the hand's turn [rad] and its opening [m].
    """
    weight = np.exp(-0.5 * ((surface - contact) ** 2).sum(axis=1) / REACH**2)
    near = weight > 0.1
    top = _find_quantile(surface[near, 2], weight[near], 0.8)
    upper = near & (np.abs(surface[:, 2] - top) < UPPER)
    share, flat = weight[upper], surface[upper, :2]
    share /= share.sum()
    centre = share @ flat
    offset = flat - centre
    angle = _find_narrow_side(offset, share)
    width = np.ptp(offset @ (np.cos(angle), np.sin(angle)))
    grasp = np.array([*centre, top - min(DEPTH, top / 2)])
    return grasp, nearest_yaw(angle), width + 2 * CLEARANCE


def _find_quantile(
    values: NDArray[np.float64], weight: NDArray[np.float64], share: float
) -> float:
    """The value below which a share of the weight lies."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(below, share * below[-1])]])


def _find_narrow_side(offset: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    """Direction [rad] across the narrow side of [N, 2] points with weights."""
    spread, axes = np.linalg.eigh((offset * share[:, None]).T @ offset)
    if spread[0] < SQUARE * spread[1]:
        return float(np.arctan2(axes[1, 0], axes[0, 0]))
    # As wide as long: across the faces of a block, not across its corners.
    angle = np.arange(0, np.pi, np.pi / 36)
    across = offset @ np.stack([np.cos(angle), np.sin(angle)])
    return float(angle[np.argmin(np.ptp(across, axis=0))])


def go_behind(
    path: NDArray[np.float64], surface: NDArray[np.float64], gripper: Gripper
) -> tuple[NDArray[np.float64], float]:
    """Finds how the hand pushes what is seen, so that the contact follows the path.

    The hand comes down behind the surface, meets it half way up, and pushes.

    Args:
        path: [K, 3] of the contact, which comes first [m].
        surface: [N, 3] what is seen inside the box [m].
        gripper: The fingers, closed or nearly so.

    Returns:
        [K, 3] the hand's path [m], that starts where the hand comes down,
        and the hand's turn [rad].
    """
    way = path[-1, :2] - path[0, :2]
    way /= max(np.linalg.norm(way), 1e-6)
    offset = surface[:, :2] - path[0, :2]
    beside = np.abs(offset @ (-way[1], way[0])) < HAND_WIDTH
    back = min((offset[beside] @ way).min(initial=0.0), 0.0)
    back -= gripper.width / 2 + GAP
    hand = path + np.array([*(back * way), 0])
    hand[:, 2] = 0.5 * surface[:, 2].max()
    start = hand[:1] - np.array([*(STANDOFF * way), 0])
    return np.vstack([start, hand[1:]]), nearest_yaw(float(np.arctan2(way[0], -way[1])))
