"""Which pixels of the image show which part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.scene import Scene
from envs.task import classify

MIN_PIXELS = 60  # of a part that is asked for: less is hidden
MIN_WIDTH = 10  # pixels, shorter side of its box


def label_parts(
    scene: Scene, part_classes: Sequence[str] | None = None
) -> NDArray[np.uint8]:
    """[H, W] semantic class of each pixel, 0 for what does not matter.

    Args:
        scene: The scene.
        part_classes: Names of the classes 1, 2, ...; the scene's own if None.
    """
    model, names = scene.model, part_classes or scene.part_classes
    classes = [classify(model.body(i).name, names) for i in range(model.nbody)]
    of_geom = np.append(np.array(classes)[model.geom_bodyid], 0)
    return of_geom[scene.seen].astype(np.uint8)


def mark_target(scene: Scene) -> NDArray[np.bool_]:
    """[H, W] whether a pixel shows the part that the instruction asks for."""
    return _pixels_of(scene, scene.goal.part)


def find_box(scene: Scene, part: str) -> tuple[float, float, float, float] | None:
    """Tight box around a part's pixels, in image units; None if they are few."""
    rows, columns = np.nonzero(_pixels_of(scene, part))
    if len(rows) < MIN_PIXELS:
        return None
    left, top = columns.min(), rows.min()
    right, bottom = columns.max() + 1, rows.max() + 1
    if min(right - left, bottom - top) < MIN_WIDTH:
        return None
    height, width = scene.seen.shape
    return (
        float(left / width),
        float(top / height),
        float(right / width),
        float(bottom / height),
    )


def _pixels_of(scene: Scene, part: str) -> NDArray[np.bool_]:
    owner = np.append(scene.model.geom_bodyid, -1)
    return owner[scene.seen] == scene.model.body(part).id
