"""Meshes with fewer triangles than their makers drew, by merging near vertices."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("", "<u2")])
_HEADER = 84  # bytes of a binary STL before its triangles: a text, and their count


def read_stl(path: Path) -> NDArray[np.float32]:
    """[N, 3, 3] corners of the triangles of a binary STL file."""
    return np.frombuffer(path.read_bytes(), _TRIANGLE, offset=_HEADER)["corners"]


def write_stl(path: Path, triangles: NDArray[np.float64]) -> None:
    """Writes [N, 3, 3] corners as a binary STL file."""
    rows = np.zeros(len(triangles), _TRIANGLE)
    rows["corners"] = triangles
    count = struct.pack("<I", len(rows))
    path.write_bytes(bytes(_HEADER - len(count)) + count + rows.tobytes())


def merge_vertices(
    triangles: NDArray[np.float32], distance: float
) -> NDArray[np.float64]:
    """Merges the vertices in each cell of a grid into their mean.

    Args:
        triangles: [N, 3, 3] corners.
        distance: The side of a cell, in the corners' unit.

    Returns:
        [M, 3, 3] corners of the triangles that have not shrunk to a line or a point, of
        several on the same corners one.
    """
    points = triangles.reshape(-1, 3).astype(np.float64)
    cells = np.round(points / distance).astype(np.int64)
    _, owner = np.unique(cells, axis=0, return_inverse=True)
    owner = owner.ravel()
    sums = [np.bincount(owner, weights=column) for column in points.T]
    means = np.stack(sums, axis=1) / np.bincount(owner)[:, None]
    corners = owner.reshape(-1, 3)
    corners = corners[(corners != np.roll(corners, 1, axis=1)).all(axis=1)]
    return _drop_inner(means[corners], corners)


def _drop_inner(
    triangles: NDArray[np.float64], corners: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Leaves one triangle of those that share all corners: the outer side of a shell.

    Both sides of a thin shell fall together, and shading them as one makes spots.
    """
    edge = triangles[:, 1:] - triangles[:, :1]
    normal = np.cross(edge[:, 0], edge[:, 1])
    away = triangles.mean(axis=1) - triangles.mean(axis=(0, 1))
    order = np.argsort(-(normal * away).sum(axis=1))
    _, first = np.unique(np.sort(corners[order], axis=1), axis=0, return_index=True)
    return triangles[order[first]]
