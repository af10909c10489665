"""The paper's figures of the same answers, by one or several scorers.

IoU, in all and by class, and the share above 0.5; Frechet, Hausdorff and RMSE distance,
their average, and the share of paths that end within 20 pixels of where they should.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

from envs.records import Affordance, ParseFailure, Trajectory
from envs.rollout import Rollout
from envs.scene import AnyScene, Picture
from policy.evaluation.scorers import SCORERS, Distances, Marks, score_answer
from policy.evaluation.statistics import (
    Estimate,
    describe_estimates,
    estimate_mean,
    estimate_rate,
)

GOOD_IOU = 0.5  # above which the paper calls an affordance a success
NEAR = 20.0  # pixels of the image, within which it calls a trajectory one
PER_UNIT = 1000  # of the tables
OF_PATHS: dict[str, Callable[[Distances], float]] = {
    "dfd": lambda path: path.dfd,
    "hd": lambda path: path.hd,
    "rmse": lambda path: path.rmse,
    "average": lambda path: (path.dfd + path.hd + path.rmse) / 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One answer on the board.

    Attributes:
        marks: By name of the scorer.
        read: Whether the answer could be read.
        category: The class of what was asked.
        size: Width and height of the image in pixels.
    """

    marks: dict[str, Marks]
    read: bool
    category: str
    size: tuple[int, int]


class Scoreboard:
    """Collects answers and scores them.

    Args:
        answer: What was asked, one of `envs.records.ANSWERS`.
        names: Of the scorers.
    """

    def __init__(self, answer: str, names: Sequence[str]) -> None:
        self.answer, self.names = answer, names
        self.entries: list[Entry] = []

    def add(self, episode: Sequence[Rollout]) -> None:
        """Takes the first answer to a scene; one without a reference has no score."""
        scene, answer = episode[0].scene, episode[0].answer
        if scene.reference is None:
            return
        height, width = scene.observation.image.shape[:2]
        entry = Entry(
            marks={
                name: score_answer(SCORERS[name], answer, scene.reference)
                for name in self.names
            },
            read=not isinstance(answer, ParseFailure),
            category=_name_category(scene),
            size=(width, height),
        )
        self.entries.append(entry)

    def to_row(self) -> dict[str, Any]:
        """Returns figures with intervals by name of the scorer, as plain data.

        Each has `n` answers, of which `boxes` and `paths` count in the averages; iou in
        %, `iou/<class>` of several, distances in 0..1000 units; `iou_above_half`,
        `end_within_20px` and `parse_rate` are rates 0..1. Figures of which nothing is
        counted are left out.
        """
        return {name: self._summarize(name) for name in self.names if self.entries}

    def _summarize(self, name: str) -> dict[str, Any]:
        read = estimate_rate([entry.read for entry in self.entries])
        figures = {"parse_rate": read}
        boxes = [
            (e, m.iou) for e in self.entries if (m := e.marks[name]).iou is not None
        ]
        paths = [(e, p) for e in self.entries if (p := e.marks[name].path) is not None]
        counts = {"n": len(self.entries)}
        if self.answer != Trajectory.kind:
            counts["boxes"] = len(boxes)
            figures |= _average_boxes(boxes)
        if self.answer != Affordance.kind:
            counts["paths"] = len(paths)
            figures |= _average_paths(paths)
        return counts | describe_estimates(figures)


def _average_boxes(boxes: Sequence[tuple[Entry, float]]) -> dict[str, Estimate]:
    if not boxes:
        return {}
    classes: dict[str, list[float]] = {}
    for entry, iou in boxes:
        classes.setdefault(entry.category, []).append(100 * iou)
    every = [iou for values in classes.values() for iou in values]
    figures = {
        "iou": estimate_mean(every),
        "iou_above_half": estimate_rate([iou > 100 * GOOD_IOU for iou in every]),
    }
    several = sorted(classes) if len(classes) > 1 else []
    return figures | {f"iou/{name}": estimate_mean(classes[name]) for name in several}


def _average_paths(paths: Sequence[tuple[Entry, Distances]]) -> dict[str, Estimate]:
    if not paths:
        return {}
    figures = {
        name: estimate_mean([PER_UNIT * read(path) for _, path in paths])
        for name, read in OF_PATHS.items()
    }
    near = [_ends_near(entry, path) for entry, path in paths]
    return figures | {"end_within_20px": estimate_rate(near)}


def _ends_near(entry: Entry, path: Distances) -> bool:
    width, height = entry.size
    return hypot(path.end[0] * width, path.end[1] * height) <= NEAR


def _name_category(scene: AnyScene) -> str:
    """The class of an annotated image; of a scene its kind."""
    return (scene.config.category or "?") if isinstance(scene, Picture) else scene.name
