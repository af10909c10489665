"""What is exported: scenes with an answer each, of a policy or of a run on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from envs.answer import PARSERS
from envs.records import AnyAnswer
from envs.sampling.asking import ask
from envs.sampling.sample import sample_scene
from envs.scene import Scene, SceneConfig
from policy.evaluation.evaluate import split_batches
from policy.rollout.log import has_scene, read_answer, read_answers
from policy.rollout.play import Answerer
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers

HELD_OUT = ("evaluations/after.jsonl", "evaluations/before.jsonl")
LOGS = ("rollouts.jsonl", *HELD_OUT, "evaluations/played.jsonl")
"""Files of a run that hold answers, the one taken if no other is named first.

Who trains on those of `HELD_OUT` has no scenes left to measure it on.
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Take:
    """One answer to one scene.

    Attributes:
        scene: The scene, or what it is made from.
        text: What was said.
        answer: What it meant.
        instruction: What was asked.
        success: What came of it when it was first executed; None if it has not been.
    """

    scene: Scene | SceneConfig
    text: str
    answer: AnyAnswer
    instruction: str
    success: bool | None = None

    def make_scene(self) -> Scene:
        """Returns the scene, made again where only its configuration is known."""
        if isinstance(self.scene, Scene):
            return self.scene
        return ask(sample_scene(self.scene), self.instruction)


def answer_scenes(
    answerer: Answerer, source: SceneSource, seeds: Sequence[int], workers: Workers
) -> Iterator[Take]:
    """Yields a policy's answers to the scenes of some seeds, in their order."""
    for scenes in workers.make_scenes(source, split_batches(seeds)):
        for said in sorted(answerer(scenes), key=lambda said: said.place):
            scene, text = scenes[said.place], said.completions[0].text
            yield Take(
                scene=scene,
                text=text,
                answer=PARSERS[scene.observation.answer](text, said.codec),
                instruction=scene.instruction,
            )


def find_log(run: Path, name: str | None = None) -> Path:
    """Returns a file of answers in a run's directory.

    Args:
        run: The directory.
        name: Such as evaluations/after.jsonl; if None, the first there is of `LOGS`.

    Raises:
        FileNotFoundError: There is none.
    """
    names = LOGS if name is None else (name,)
    for path in (run / name for name in names):
        if path.is_file():
            return path
    raise FileNotFoundError(f"run_dir={run}: it has none of {', '.join(names)}")


def is_held_out(path: Path) -> bool:
    """Whether a file of `find_log` has the answers to a run's held-out scenes."""
    return path.as_posix().endswith(HELD_OUT)


def read_takes(path: Path, only_success: bool = False) -> Iterator[Take]:
    """Yields the first answers to scenes that a run has written down.

    Later turns are left out: what they started from is not in the file. So are
    annotated images, which have no scene. A row that names no turn, as those of
    earlier versions, is of the first.

    Args:
        path: A file of `find_log`.
        only_success: Whether to leave out what failed.

    Raises:
        ValueError: A line is no row of an answer, or names no scene that can be made.
    """
    for number, row in enumerate(read_answers(path), start=1):
        failed = only_success and not row["success"]
        if row.get("turn", 1) > 1 or failed or not has_scene(row):
            continue
        try:
            yield Take(
                scene=SceneConfig(**row["scene"]),
                text=row["text"],
                answer=read_answer(row),
                instruction=row["instruction"],
                success=row["success"],
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
