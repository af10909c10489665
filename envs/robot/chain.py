"""An arm as one record a joint, and where such a chain has its tool.

Frames are those of Craig's modified Denavit-Hartenberg convention: from the frame of
the joint before by alpha about and a along its x axis, then by d along the joint's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
RGBA = tuple[float, float, float, float]
LIGHT, DARK = (0.93, 0.93, 0.95, 1.0), (0.18, 0.18, 0.2, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link looks like: a capsule, which never meets an object.

    Attributes:
        start: Where it begins, in the frame of its joint [m].
        end: Where it ends [m].
        radius: Its radius [m].
        mass: Its mass [kg].
        colour: Its colour.
    """

    start: Point
    end: Point
    radius: float
    mass: float = 0.0
    colour: RGBA = LIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """A joint that turns, and what moves with it.

    Attributes:
        dh: a [m], d [m] and alpha [rad].
        limits: Its least and largest position [rad].
        torque: Its largest torque [N m].
        stiffness: Of its position control [N m/rad].
        links: The shapes that it moves.
    """

    dh: Point
    limits: tuple[float, float]
    torque: float
    stiffness: float
    links: Sequence[Link]


class Chain:
    """Forward kinematics of many joint positions at once.

    Attributes:
        low: [N] least joint positions [rad].
        high: [N] largest joint positions [rad].

    Args:
        joints: The N joints, the one at the world's origin first.
        length: From the last one's frame to the tool's, along z [m].
        turn: Of the tool about z [rad].
    """

    def __init__(self, joints: Sequence[Joint], length: float, turn: float) -> None:
        self.low, self.high = np.array([joint.limits for joint in joints]).T
        self._a, self._d, alpha = np.array([joint.dh for joint in joints]).T
        self._cos, self._sin = np.cos(alpha), np.sin(alpha)
        c, s = np.cos(turn), np.sin(turn)
        self._tool = np.eye(4)
        self._tool[:2, :2] = [[c, -s], [s, c]]
        self._tool[2, 3] = length

    def forward(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """[M, 4, 4] poses of the tool at [M, N] joint positions in rad."""
        return self.list_frames(q)[:, -1]

    def list_frames(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """[M, N + 1, 4, 4] poses of the joints' frames and of the tool."""
        local = self._turn_joints(q)
        count = q.shape[1]
        frames = np.empty((len(q), count + 1, 4, 4))
        frames[:, 0] = local[:, 0]
        for i in range(1, count):
            frames[:, i] = frames[:, i - 1] @ local[:, i]
        frames[:, count] = frames[:, count - 1] @ self._tool
        return frames

    def _turn_joints(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """[M, N, 4, 4] pose of each joint's frame in the one before."""
        c, s = np.cos(q), np.sin(q)
        local = np.zeros((*q.shape, 4, 4))
        local[:, :, 0, 0], local[:, :, 0, 1] = c, -s
        local[:, :, 1, 0], local[:, :, 1, 1] = s * self._cos, c * self._cos
        local[:, :, 2, 0], local[:, :, 2, 1] = s * self._sin, c * self._sin
        local[:, :, 1, 2], local[:, :, 2, 2] = -self._sin, self._cos
        local[:, :, 0, 3] = self._a
        local[:, :, 1, 3] = -self._sin * self._d
        local[:, :, 2, 3] = self._cos * self._d
        local[:, :, 3, 3] = 1
        return local
