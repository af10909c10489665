"""Statistics of a data set's columns, exact, gathered episode by episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
LEVELS = np.arange(256) / 255  # of a pixel


def summarize(values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Returns the statistics of [N] or [N, D] values, each [1] or [D]."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    spread = np.quantile(rows, QUANTILES, axis=0)
    return {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": rows.mean(axis=0),
        "std": rows.std(axis=0),
        "count": np.array([len(rows)]),
        **_name_quantiles(list(spread)),
    }


def count_levels(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """[3, 256] how often each level of each colour occurs in [N, H, W, 3] images."""
    return np.stack(
        [np.bincount(images[..., c].ravel(), minlength=256) for c in range(3)]
    )


def summarize_levels(levels: NDArray[np.int64], frames: int) -> dict[str, NDArray[Any]]:
    """Returns the statistics of the images of some frames, each [3, 1, 1], 0..1."""
    total = levels.sum(axis=1, keepdims=True)
    below = np.cumsum(levels, axis=1)
    mean = levels @ LEVELS / total[:, 0]
    variance = (levels * (LEVELS - mean[:, None]) ** 2).sum(axis=1) / total[:, 0]
    spread = [_find_level(below, total * q) for q in QUANTILES]
    found = {
        "min": _find_level(below, np.ones_like(total)),
        "max": _find_level(below, total),
        "mean": mean,
        "std": np.sqrt(variance),
        **_name_quantiles(spread),
    }
    shaped = {name: value.reshape(3, 1, 1) for name, value in found.items()}
    return shaped | {"count": np.array([frames])}


def _find_level(
    below: NDArray[np.int64], rank: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[3] the lowest level at or below which so many pixels are."""
    return LEVELS[(below >= rank).argmax(axis=1)]


def _name_quantiles(spread: Sequence[Any]) -> dict[str, Any]:
    return {f"q{round(100 * q):02d}": row for q, row in zip(QUANTILES, spread)}


def to_plain(stats: Mapping[str, Mapping[str, NDArray[Any]]]) -> dict[str, Any]:
    """Returns statistics by column as plain data for JSON."""
    return {
        column: {name: value.tolist() for name, value in found.items()}
        for column, found in stats.items()
    }
