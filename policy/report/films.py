"""Films and images of a report: made again from the rows, each once.

A film is the execution of the very answer, by the same executor from the same scene, so
it ends as the row says. This file must not import torch: workers load it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from envs.scene import Scene
from envs.video.clip import film_clip, write_clip
from policy.report.run import Row
from policy.report.scenes import (
    DIFFER,
    FAILED,
    GAINED,
    LOST,
    SOLVED,
    Attempt,
    Case,
    alternate,
    group_by,
)
from policy.rollout.crew import LostWork
from policy.rollout.log import IMAGES, save_jpeg
from policy.rollout.rebuild import rebuild
from policy.rollout.workers import ABANDONED, Workers

FILMS = "films"  # folder beside the rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """Where the pictures of a run's answers are.

    Attributes:
        folder: The run's `evaluations/`.
    """

    folder: Path

    def find_image(self, row: Row) -> Path:
        """The image that an answer saw: the log's, or one made again, if there."""
        name = row.get("image") or f"again_{_hash(row['scene'])}.jpg"
        return self.folder / IMAGES / Path(name).name  # never outside the folder

    def find_film(self, attempt: Attempt) -> Path:
        """Where the film of an attempt is, if it has been made."""
        said = [[r["scene"], r["box"], r["waypoints"]] for r in attempt.turns]
        return self.folder / FILMS / f"{_hash(said)}.mp4"


def choose_films(cases: Sequence[Case], count: int) -> list[Case]:
    """Returns the scenes to film: half flipped, then failures by reason, successes."""
    kinds = group_by(cases, lambda case: case.verdict)
    flipped = alternate([kinds.get(kind, []) for kind in (GAINED, LOST, DIFFER)])
    failed = group_by(kinds.get(FAILED, []), lambda case: case.reason)
    some = [
        *flipped[: (count + 1) // 2],
        *islice(alternate(list(failed.values())), (count + 2) // 4),
        *kinds.get(SOLVED, [])[: (count + 2) // 4],
    ]
    rest = (case for case in chain(flipped, *failed.values()) if case not in some)
    return [*some, *rest][:count]


def make_films(
    media: Mapping[str, Media], cases: Sequence[Case], workers: Workers
) -> None:
    """Films the attempts of some scenes, those that have not been filmed.

    Args:
        media: Where the pictures of each policy's attempts are.
        cases: The scenes.
        workers: They make films, side by side.
    """
    attempts = [a for case in cases for a in case.attempts if _moves(a)]
    paths = {media[a.by].find_film(a): a for a in attempts}
    _make_missing({p: (film_attempt, a.turns) for p, a in paths.items()}, workers)


def make_images(
    media: Mapping[str, Media], cases: Sequence[Case], workers: Workers
) -> None:
    """Sees again what answers saw, where no image was kept; see `make_films`."""
    attempts = [attempt for case in cases for attempt in case.attempts]
    paths = {media[a.by].find_image(a.turns[0]): a.turns[0] for a in attempts}
    _make_missing({path: (see_again, row) for path, row in paths.items()}, workers)


def _make_missing(
    jobs: Mapping[Path, tuple[Callable[..., None], Any]], workers: Workers
) -> None:
    running = []
    for path, (make, what) in jobs.items():
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            running.append(workers.start(make, what, path))
    for future in running:
        with suppress(LostWork):  # the page does without what nobody could finish
            future.result()


def _moves(attempt: Attempt) -> bool:
    """Whether any answer is a plan that was executed and the arm may have followed."""
    still = (None, "unreachable", ABANDONED.reason)
    return any(
        row["box"] and row["waypoints"] and row["reason"] not in still
        for row in attempt.turns
    )


def film_attempt(rows: Sequence[Row], path: Path) -> None:
    """Films the turns of an attempt one after the other; without a motion, nothing."""
    turns = ((turn.scene, turn.answer) for turn in rebuild(rows))
    clips = (film_clip(s, answer) for s, answer in turns if isinstance(s, Scene))
    write_clip(path, chain.from_iterable(clips))


def see_again(row: Row, path: Path) -> None:
    """Makes a scene and saves its image."""
    [seen] = rebuild([row])
    save_jpeg(seen.scene.observation.image, path)


def _hash(content: object) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
