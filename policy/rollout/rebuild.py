"""Rollouts made again from the rows that a run, or a playground, has written.

The executor repeats itself bit for bit, so what is filmed is what happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from envs.records import AnyAnswer, Completion, Outcome, Reward
from envs.rollout import Rollout
from envs.sampling.asking import ask
from envs.sampling.sample import sample_scene
from envs.sampling.turns import follow_up
from envs.scene import Scene, SceneConfig
from policy.rollout.log import has_scene, read_answer, read_answers

FOLDER = "evaluations"
NAMES = ("after", "before", "played")  # the first that there is

Row = dict[str, Any]


def read_episodes(run_dir: Path) -> list[list[Row]]:
    """Returns the rows of a run's last answers to scenes, an episode each.

    Those of the playground are taken only where there is nothing of a run.

    Raises:
        FileNotFoundError: It is no directory of a run.
        ValueError: Its file cannot be read, or is empty.
    """
    files = [run_dir / FOLDER / f"{name}.jsonl" for name in NAMES]
    found = next((file for file in files if file.exists()), None)
    if found is None:
        raise FileNotFoundError(
            f"run_dir={run_dir}: no {FOLDER}/ with answers there "
            f"({', '.join(file.name for file in files)})"
        )
    episodes: list[list[Row]] = []
    for row in filter(has_scene, read_answers(found)):
        if row.get("turn", 1) == 1 or not episodes:
            episodes.append([])
        episodes[-1].append(row)
    if not episodes:
        raise ValueError(f"{found}: no answers to scenes in it")
    return episodes


def rebuild(rows: Sequence[Row]) -> Iterator[Rollout]:
    """Yields the rollouts of an episode, each scene as the answer before left it.

    Raises:
        ValueError: The scene of a row cannot be made.
    """
    scene = _make_scene(rows[0])
    answer: AnyAnswer | None = None
    for row in rows:
        if answer is not None:
            scene = follow_up(scene, answer)
        answer = read_answer(row)
        scene = ask(scene, row["instruction"])
        yield Rollout(
            scene=scene,
            completion=Completion(text=row["text"]),
            answer=answer,
            outcome=_read_outcome(row),
            reward=Reward(terms=row["terms"], total=row["reward"]),
        )


def _read_outcome(row: Row) -> Outcome | None:
    """What a row tells of the outcome; None where nothing was executed."""
    if row["reason"] is None:
        return None
    return Outcome(success=row["success"], reason=row["reason"])


def _make_scene(row: Row) -> Scene:
    try:
        return sample_scene(SceneConfig(**row["scene"]))
    except (AttributeError, TypeError) as error:
        raise ValueError(f"scene {row['scene']!r} of an answer: {error}") from error
