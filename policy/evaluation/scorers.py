"""Three ways to score the same answers: ours, the paper's and FlagEvalMM's.

They differ in what an answer counts that cannot be read, and in how paths of different
lengths are compared. So the same answers have other averages, and figures of two papers
can be compared only where the scorer is the same. All take answers as Graspo reads
them: what a reader of texts gets wrong (FlagEvalMM's divides any coordinate above 1 by
the image's size, also those in 0..1000) is not part of a scorer here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from envs.records import NO_BOX, AnyAnswer, Reference
from rewards.metrics import (
    WORST_DISTANCE,
    Box,
    compute_frechet,
    compute_hausdorff,
    compute_iou,
    resample_path,
)

Path = NDArray[np.float64]  # [K, 2] in image units
CORNER = np.zeros((1, 2))  # FlagEvalMM's path of an answer without one


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """How far a path is from its reference, in image units.

    Attributes:
        dfd: Discrete Frechet distance.
        hd: Symmetric Hausdorff distance.
        rmse: Root mean square distance of points.
        end: (right, down) from the reference's last point to the path's.
    """

    dfd: float
    hd: float
    rmse: float
    end: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What one answer counts.

    Attributes:
        iou: Of its box, 0..1; None leaves it out of the average.
        path: Of its path; None leaves it out of the averages.
    """

    iou: float | None
    path: Distances | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """How answers are scored.

    Attributes:
        box: From the answer's box, None if it was not read, and the reference's.
        path: From the answer's path, None if it was not read, and the reference's.
        rule: What it does, in words.
        flatters: Whom it makes look better than they are.
    """

    box: Callable[[Box | None, Box], float | None]
    path: Callable[[Path | None, Path], Distances | None]
    rule: str
    flatters: str


def count_box(box: Box | None, reference: Box) -> float:
    """Returns the IoU; 0 for a box that was not read."""
    return 0.0 if box is None else compute_iou(box, reference)


def drop_box(box: Box | None, reference: Box) -> float | None:
    """Returns the IoU; None for a box that was not read."""
    return None if box is None else compute_iou(box, reference)


def count_path(path: Path | None, reference: Path) -> Distances:
    """Compares both paths resampled; one that was not read is as far as can be."""
    if path is None:
        worst = WORST_DISTANCE
        return Distances(dfd=worst, hd=worst, rmse=worst, end=(1.0, 1.0))
    path, reference = resample_path(path), resample_path(reference)
    return _compare(path, reference, path - reference)


def drop_path(path: Path | None, reference: Path) -> Distances | None:
    """Compares the points as they are, for the RMSE resampled; drops what is unread."""
    if path is None:
        return None
    return _compare(path, reference, resample_path(path) - resample_path(reference))


def begin_path(path: Path | None, reference: Path) -> Distances:
    """Compares the points as they are, for the RMSE those that both paths have."""
    path = CORNER if path is None else path
    both = min(len(path), len(reference))
    return _compare(path, reference, path[:both] - reference[:both])


SCORERS = {
    "graspo": Scorer(
        box=count_box,
        path=count_path,
        rule="an unread answer is the worst there is; paths are resampled",
        flatters="nobody; an unread path, 1414 units, outweighs any real error",
    ),
    "paper": Scorer(
        box=count_box,
        path=drop_path,
        rule="an unread box counts 0, an unread path is dropped; raw points, "
        "for the RMSE resampled",
        flatters="who gives paths only where it is sure, or as many points as the "
        "reference has",
    ),
    "flageval": Scorer(
        box=drop_box,
        path=begin_path,
        rule="an unread box is dropped, an unread path is the point (0, 0); raw "
        "points, for the RMSE those of the shorter path",
        flatters="who gives boxes only where it is sure, and paths that stop early",
    ),
}
"""Name, as in `scorer=`, to how answers are scored."""


def score_answer(scorer: Scorer, answer: AnyAnswer, reference: Reference) -> Marks:
    """Scores an answer as far as there is a reference.

    Args:
        scorer: How.
        answer: What was read, or why nothing was.
        reference: The expert's answer, or an annotation, which may lack box or path;
            what it lacks is left out.
    """
    box, path = getattr(answer, "box", None), getattr(answer, "waypoints", None)
    known = None if path is None else _trace(path)
    target = _trace(reference.waypoints) if reference.waypoints else None
    return Marks(
        iou=None if reference.box == NO_BOX else scorer.box(box, reference.box),
        path=None if target is None else scorer.path(known, target),
    )


def _trace(waypoints: Sequence[Sequence[float]]) -> Path:
    """The points in the image, without heights."""
    return np.asarray(waypoints, dtype=np.float64)[:, :2]


def _compare(path: Path, reference: Path, apart: Path) -> Distances:
    """Distances of two paths, the RMSE from how far pairs of their points are apart."""
    pairwise = np.asarray(cdist(path, reference), dtype=np.float64)
    right, down = (path[-1] - reference[-1]).tolist()
    return Distances(
        dfd=compute_frechet(pairwise),
        hd=compute_hausdorff(pairwise),
        rmse=float(np.sqrt(np.mean(np.sum(apart**2, axis=1)))),
        end=(right, down),
    )
