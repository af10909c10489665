"""Inverse kinematics of any chain for many targets at once, the tool pointing down.

Damped least squares over a batch, with the posture pulled to home in the null space:
all waypoints of all plans of a step are one [M, N] problem. A solver that takes one
target at a time (mink, against which the tests compare) costs more than the simulation
it prepares.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.robot.chain import Chain

POSITION_TOLERANCE = 1e-3  # m: under half a pixel of the scene's camera (2.2 mm)
ANGLE_TOLERANCE = 0.01  # rad
DAMPING = 1e-4
POSTURE_GAIN = 0.3


def nearest_yaw(yaw_rad: float) -> float:
    """The turn of the hand, of the two that close the same way, in -pi..0."""
    return (yaw_rad + np.pi) % np.pi - np.pi


def point_down(yaw: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M, 3, 3] axes of tools that point down and close along [M] directions [rad]."""
    c, s, zero = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)
    close = np.stack([c, s, zero], axis=-1)
    down = np.stack([zero, zero, zero - 1], axis=-1)
    return np.stack([_cross(close, down), close, down], axis=-1)


class Solver:
    """Finds joint positions of a chain whose first joint is vertical.

    That one turns toward the target, the last one turns the hand, and the others are
    wanted near home.

    Args:
        chain: The arm.
        home: [N] joint positions [rad] from which the search starts, the fingers
            closing along the world's y axis.
        iterations: Of the search. Of 4,000 poses over the table a Panda reaches all
            after 5 and 97 % after 4.
    """

    def __init__(
        self, chain: Chain, home: NDArray[np.float64], iterations: int = 6
    ) -> None:
        self._chain, self._home, self._iterations = chain, home, iterations

    def solve(
        self, position_world: NDArray[np.float64], yaw_rad: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """See `envs.robot.Robot.solve`."""
        chain, home = self._chain, self._home
        target_rotation = point_down(yaw_rad)
        q = np.tile(home, (len(position_world), 1))
        q[:, 0] = np.arctan2(position_world[:, 1], position_world[:, 0])
        q[:, -1] = home[-1] + q[:, 0] - yaw_rad - np.pi / 2
        q[:, -1] = np.clip(q[:, -1], chain.low[-1], chain.high[-1])
        for _ in range(self._iterations):
            frames = chain.list_frames(q)
            error = _error(frames[:, -1], position_world, target_rotation)
            q = np.clip(q + self._step(frames, error, q), chain.low, chain.high)
        error = _error(chain.forward(q), position_world, target_rotation)
        close = np.linalg.norm(error[:, :3], axis=1) < POSITION_TOLERANCE
        aligned = np.linalg.norm(error[:, 3:], axis=1) < ANGLE_TOLERANCE
        return q, close & aligned

    def _step(
        self,
        frames: NDArray[np.float64],
        error: NDArray[np.float64],
        q: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        axes = frames[:, :-1, :3, 2]
        arms = frames[:, -1:, :3, 3] - frames[:, :-1, :3, 3]
        jacobian = np.concatenate([_cross(axes, arms), axes], axis=-1).swapaxes(1, 2)
        gram = jacobian @ jacobian.swapaxes(1, 2) + DAMPING * np.eye(6)
        posture = POSTURE_GAIN * (self._home - q)
        posture[:, [0, -1]] = 0  # these follow the target's direction and yaw
        residual = error - (jacobian @ posture[..., None])[..., 0]
        correction = jacobian.swapaxes(1, 2) @ np.linalg.solve(
            gram, residual[..., None]
        )
        return posture + correction[..., 0]


def _error(
    tool: NDArray[np.float64],
    position: NDArray[np.float64],
    rotation: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[M, 6] position and rotation error (half the sum of the axes' cross products)."""
    axes, wanted = tool[:, :3, :3].swapaxes(1, 2), rotation.swapaxes(1, 2)
    turn = 0.5 * _cross(axes, wanted).sum(axis=1)
    return np.concatenate([position - tool[:, :3, 3], turn], axis=1)


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """[..., 3] cross products; `np.cross` takes three times as long on few vectors."""
    following, last = [1, 2, 0], [2, 0, 1]
    return a[..., following] * b[..., last] - a[..., last] * b[..., following]
