"""Images in another frame: turned, zoomed, shifted and bent.

Where something hardly ever moves, a policy learns its place instead of finding it. A
frame that is only turned and shifted takes all along, and does not undo that; a bend
moves what is in an image against each other. Figures in policy/FINDINGS.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ZOOM = (0.75, 1.12)
TALL = (0.88, 1.15)  # height of things against their width, as seen from elsewhere
ROLL = 0.2  # rad
SHIFT = 0.18  # share of the image's side
WAVES = 6  # of a bend, each along a direction of its own
CYCLES = (0.3, 1.5)  # of a wave across the image
BEND = 0.03  # standard deviation of the displacement, of the image's side
PATCHES = 16  # along each side, in which pixels move alike
STEPS = 20  # of the iteration that inverts a bend


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A map between an image and the image that it becomes, in image units 0..1.

    Attributes:
        turn: [2, 2], and
        shift: [2]: without waves a point comes to turn @ point + shift.
        waves: [N, 2] radians an image side.
        phases: [N] radians.
        heights: [N, 2] of each wave, along x and y.
    """

    turn: NDArray[np.float64]
    shift: NDArray[np.float64]
    waves: NDArray[np.float64]
    phases: NDArray[np.float64]
    heights: NDArray[np.float64]

    def move(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, 2] where [N, 2] points of the image come to."""
        moved = points @ self.turn.T + self.shift
        for _ in range(STEPS):
            moved = (points - self._bend(moved)) @ self.turn.T + self.shift
        return moved

    def find(self, moved: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, 2] points of the image that come to [N, 2] points."""
        straight = (moved - self.shift) @ np.linalg.inv(self.turn).T
        return straight + self._bend(moved)

    def show(
        self, pixels: NDArray[np.uint8], how: Image.Resampling, outside: Any
    ) -> NDArray[np.uint8]:
        """Returns [H, H] or [H, H, 3] pixels in this frame, `outside` where none were.

        The map is straight within patches of the new image.
        """
        side = len(pixels)
        edges = np.linspace(0, side, PATCHES + 1).astype(int)
        across, down = np.meshgrid(edges / side, edges / side)
        found = side * self.find(np.column_stack([across.ravel(), down.ravel()]))
        corner = found.reshape(PATCHES + 1, PATCHES + 1, 2)
        mesh = [
            (
                (edges[j], edges[i], edges[j + 1], edges[i + 1]),
                np.ravel(corner[[i, i + 1, i + 1, i], [j, j, j + 1, j + 1]]).tolist(),
            )
            for i in range(PATCHES)
            for j in range(PATCHES)
        ]
        shown = Image.fromarray(pixels).transform(
            (side, side), Image.Transform.MESH, mesh, how, fillcolor=outside
        )
        return np.asarray(shown)

    def _bend(self, moved: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.cos(moved @ self.waves.T + self.phases) @ self.heights


def draw_frame(rng: np.random.Generator) -> Frame:
    """Returns a frame around the middle of the image."""
    scale = rng.uniform(*ZOOM) * np.array([1, rng.uniform(*TALL)])
    turn = rotate(rng.uniform(-ROLL, ROLL)) * scale
    along = rng.uniform(0, 2 * np.pi, WAVES)
    cycles = rng.uniform(*CYCLES, WAVES)[:, None]
    return Frame(
        turn=turn,
        shift=0.5 - turn @ (0.5, 0.5) + rng.uniform(-SHIFT, SHIFT, 2),
        waves=2 * np.pi * cycles * np.column_stack([np.cos(along), np.sin(along)]),
        phases=rng.uniform(0, 2 * np.pi, WAVES),
        heights=rng.normal(0, BEND / np.sqrt(WAVES / 2), (WAVES, 2)),
    )


def rotate(angle: float) -> NDArray[np.float64]:
    """[2, 2] turn by an angle in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])
