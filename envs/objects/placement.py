"""Where on the table there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AREA = ((0.39, 0.61), (-0.17, 0.17))  # where objects stand: x and y ranges in metres


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Part of an object's footprint, in its own frame [m]."""

    x: float
    y: float
    radius: float


class Placement:
    """Finds free places for objects on the table, by footprint."""

    def __init__(self, rng: np.random.Generator, area: tuple = AREA):
        """An empty table."""
        self._rng = rng
        self._area = area
        self._taken: list[tuple[float, float, float]] = []

    def block(self, circles: list[tuple[float, float, float]]) -> None:
        """Takes the room of circles (x, y, radius), free or not."""
        self._taken += circles

    def place(
        self, footprint: tuple[Circle, ...], yaw: float, tries: int = 60
    ) -> tuple[float, float] | None:
        """A free (x, y) for an object, or None if the tries do not find one."""
        for _ in range(tries):
            x = float(self._rng.uniform(*self._area[0]))
            y = float(self._rng.uniform(*self._area[1]))
            circles = [_moved(circle, x, y, yaw) for circle in footprint]
            if all(_apart(a, b) for a in circles for b in self._taken):
                self._taken += circles
                return x, y
        return None

    def place_all(
        self, footprints: Sequence[tuple[Circle, ...]]
    ) -> list[tuple[float, float]]:
        """Free (x, y) for as many of the objects as there is room for, unturned."""
        spots = [self.place(footprint, 0.0) for footprint in footprints]
        return [spot for spot in spots if spot is not None]


def _moved(
    circle: Circle, x: float, y: float, yaw: float
) -> tuple[float, float, float]:
    c, s = np.cos(yaw), np.sin(yaw)
    return (
        x + c * circle.x - s * circle.y,
        y + s * circle.x + c * circle.y,
        circle.radius,
    )


def _apart(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    return np.hypot(a[0] - b[0], a[1] - b[1]) > a[2] + b[2] + 0.004
