"""Forward and inverse kinematics of the arm for many targets at once.

Damped least squares over a batch, with the posture pulled to home in the null space:
all waypoints of all plans of a step are one [N, 7] problem. A solver that takes one
target at a time (mink, against which the tests compare) costs more than the simulation
it prepares.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.robot import arm

POSITION_TOLERANCE = 1e-3  # m: under half a pixel of the scene's camera (2.2 mm)
ANGLE_TOLERANCE = 0.01  # rad
ITERATIONS = 6  # 5 reached each of 4,000 poses over the table, 4 reached 97 %
DAMPING = 1e-4
POSTURE_GAIN = 0.3


def forward(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pose of the tool.

    Args:
        q: [N, 7] joint positions in rad.

    Returns:
        [N, 4, 4] poses of the tool in the world; x along the fingers' width, y along
        the direction in which they close, z out of the hand.
    """
    return _frames(q)[:, -1]


def solve(
    position_world: NDArray[np.float64], yaw_rad: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Joint positions that bring the tool to targets, pointing straight down.

    Args:
        position_world: [N, 3] targets of the tool in metres.
        yaw_rad: [N] direction in which the fingers close, about world z.

    Returns:
        [N, 7] joint positions within the limits, and [N] whether each is reached.
    """
    target_rotation = _pointing_down(yaw_rad)
    q = np.tile(arm.HOME, (len(position_world), 1))
    q[:, 0] = np.arctan2(position_world[:, 1], position_world[:, 0])
    q[:, 6] = arm.HOME[6] + q[:, 0] - yaw_rad - np.pi / 2
    q[:, 6] = np.clip(q[:, 6], arm.JOINT_LOW[6], arm.JOINT_HIGH[6])
    for _ in range(ITERATIONS):
        frames = _frames(q)
        error = _error(frames[:, -1], position_world, target_rotation)
        q = np.clip(q + _step(frames, error, q), arm.JOINT_LOW, arm.JOINT_HIGH)
    error = _error(_frames(q)[:, -1], position_world, target_rotation)
    close = np.linalg.norm(error[:, :3], axis=1) < POSITION_TOLERANCE
    aligned = np.linalg.norm(error[:, 3:], axis=1) < ANGLE_TOLERANCE
    return q, close & aligned


def nearest_yaw(yaw_rad: float) -> float:
    """The turn of the hand, of the two that close the same way, nearer to home."""
    return (yaw_rad + np.pi) % np.pi - np.pi


def _pointing_down(yaw: NDArray[np.float64]) -> NDArray[np.float64]:
    c, s, zero = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)
    close = np.stack([c, s, zero], axis=-1)
    down = np.stack([zero, zero, zero - 1], axis=-1)
    return np.stack([_cross(close, down), close, down], axis=-1)


_ALPHA_COS, _ALPHA_SIN = np.cos(arm.DH[:, 2]), np.sin(arm.DH[:, 2])


def _hand_offset() -> NDArray[np.float64]:
    c, s = np.cos(arm.HAND_TURN), np.sin(arm.HAND_TURN)
    offset = np.eye(4)
    offset[:2, :2] = [[c, -s], [s, c]]
    offset[2, 3] = arm.FLANGE + arm.TOOL
    return offset


_TOOL_OFFSET = _hand_offset()


def _frames(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, 8, 4, 4] poses of the seven joint frames and of the tool."""
    n = len(q)
    c, s = np.cos(q), np.sin(q)
    local = np.zeros((n, 7, 4, 4))
    local[:, :, 0, 0], local[:, :, 0, 1] = c, -s
    local[:, :, 1, 0], local[:, :, 1, 1] = s * _ALPHA_COS, c * _ALPHA_COS
    local[:, :, 2, 0], local[:, :, 2, 1] = s * _ALPHA_SIN, c * _ALPHA_SIN
    local[:, :, 1, 2], local[:, :, 2, 2] = -_ALPHA_SIN, _ALPHA_COS
    local[:, :, 0, 3] = arm.DH[:, 0]
    local[:, :, 1, 3] = -_ALPHA_SIN * arm.DH[:, 1]
    local[:, :, 2, 3] = _ALPHA_COS * arm.DH[:, 1]
    local[:, :, 3, 3] = 1
    frames = np.empty((n, 8, 4, 4))
    frames[:, 0] = local[:, 0]
    for i in range(1, 7):
        frames[:, i] = frames[:, i - 1] @ local[:, i]
    frames[:, 7] = frames[:, 6] @ _TOOL_OFFSET
    return frames


def _error(
    tool: NDArray[np.float64],
    position: NDArray[np.float64],
    rotation: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[N, 6] position and rotation error (half the sum of the axes' cross products)."""
    axes, wanted = tool[:, :3, :3].swapaxes(1, 2), rotation.swapaxes(1, 2)
    turn = 0.5 * _cross(axes, wanted).sum(axis=1)
    return np.concatenate([position - tool[:, :3, 3], turn], axis=1)


def _step(
    frames: NDArray[np.float64], error: NDArray[np.float64], q: NDArray[np.float64]
) -> NDArray[np.float64]:
    axes = frames[:, :7, :3, 2]
    arms = frames[:, 7:, :3, 3] - frames[:, :7, :3, 3]
    jacobian = np.concatenate([_cross(axes, arms), axes], axis=-1).swapaxes(1, 2)
    gram = jacobian @ jacobian.swapaxes(1, 2) + DAMPING * np.eye(6)
    posture = POSTURE_GAIN * (arm.HOME - q)
    posture[:, [0, 6]] = 0  # these follow the target's direction and yaw
    residual = error - (jacobian @ posture[..., None])[..., 0]
    correction = jacobian.swapaxes(1, 2) @ np.linalg.solve(gram, residual[..., None])
    return posture + correction[..., 0]


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """[..., 3] cross products; `np.cross` takes three times as long on few vectors."""
    following, last = [1, 2, 0], [2, 0, 1]
    return a[..., following] * b[..., last] - a[..., last] * b[..., following]
