"""Inverse kinematics of the arms of Universal Robots, in closed form.

Their joints 2, 3 and 4 are parallel, so that the first joint and the wrist follow from
where the tool is to be, and two links in a plane remain. With the tool pointing down,
joint 5 always stands at a right angle. Of the eight ways to hold the tool this is the
one with the elbow up and the wrist on the arm's far side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.robot.chain import Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """The makers' Denavit-Hartenberg parameters that are not zero [m], all positive.

    Attributes:
        d1: From the base to the shoulder.
        a2: The upper arm.
        a3: The forearm.
        d4: From the shoulder's middle to the wrist, aside.
        d5: From the first joint of the wrist to the second.
        d6: From the second joint of the wrist to the flange.
    """

    d1: float
    a2: float
    a3: float
    d4: float
    d5: float
    d6: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ElbowUp:
    """Finds joint positions at which the tool points down.

    Attributes:
        chain: The arm, for its limits.
        lengths: The same arm's.
        length: From the flange to the tool's centre [m].
        turn: Of the tool on the flange [rad].
    """

    chain: Chain
    lengths: Lengths
    length: float
    turn: float

    def solve(
        self, position_world: NDArray[np.float64], yaw_rad: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """See `envs.robot.Robot.solve`."""
        x, y, z = np.asarray(position_world, float).T
        radius, size = np.hypot(x, y), self.lengths
        with np.errstate(divide="ignore", invalid="ignore"):
            aside = np.clip(size.d4 / radius, -1, 1)
            pan = np.arctan2(y, x) + np.pi - np.arcsin(aside)
            # The wrist's first joint, in the plane of the links: outward and up.
            out = np.sqrt(np.maximum(radius**2 - size.d4**2, 0)) - size.d5
            up = z + self.length + size.d6 - size.d1
            lift, elbow, stretched = self._bend(out, up)
        wrist = -np.pi / 2 - lift - elbow
        roll = _wrap(pan - yaw_rad - self.turn)
        q = np.stack([pan, lift, elbow, wrist, np.full_like(pan, -np.pi / 2), roll], 1)
        inside = ((q >= self.chain.low) & (q <= self.chain.high)).all(axis=1)
        return q, inside & ~stretched & (radius > size.d4)

    def _bend(
        self, out: NDArray[np.float64], up: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """[M] shoulder and elbow [rad], and whether the links are too short or long."""
        upper, lower = self.lengths.a2, self.lengths.a3
        cosine = (out**2 + up**2 - upper**2 - lower**2) / (2 * upper * lower)
        elbow = np.arccos(np.clip(cosine, -1, 1))
        inner = np.arctan2(lower * np.sin(elbow), upper + lower * np.cos(elbow))
        return -np.arctan2(up, out) - inner, elbow, np.abs(cosine) > 1


def _wrap(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same angle in -pi..pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
