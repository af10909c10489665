"""A policy on frozen scenes: the figures of the paper's table, and what it solved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import policy
from envs.records import UNTOLD, Plan
from envs.robot import DEFAULT
from envs.rollout import Rollout
from envs.sampling.suite import Suite, load_suite
from policy.evaluation.baselines import BASELINES
from policy.evaluation.evaluate import Exam, evaluate
from policy.home import find
from policy.rollout.collect import answer_greedily
from policy.rollout.play import Answerer, Referee, answer_scripted
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from policy.runtime.manifest import SUITE
from policy.study.compose import compose
from policy.study.plan import ASIDE

LONGEST = 96  # tokens of an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """What a policy is examined in.

    Attributes:
        envs: Kinds of scenes.
        splits: Of each kind: "test", "ood".
        n: The first n frozen scenes of each.
        without: Kinds of things that no scene has; frozen scenes have all, so then
            others are made, of seeds that nothing was trained on.
        knowledge: What is told beside the instruction (`policy.knowledge`).
        robot: Which arm acts. Frozen scenes have the default one, so for another one,
            too, others are made.
        suite: The frozen scenes, a file.
        max_turns: Answers to a scene until one succeeds.
        waypoints: "2d", or "3d": answers name heights.
    """

    envs: Sequence[str]
    splits: Sequence[str]
    n: int
    max_turns: int = 1
    waypoints: str = "2d"
    without: Sequence[str] = ()
    knowledge: str = UNTOLD
    robot: str = DEFAULT
    suite: str = SUITE

    @property
    def total(self) -> int:
        """How many scenes."""
        return self.n * len(self.envs) * len(self.splits)

    def read_suite(self) -> Suite | None:
        """Returns the frozen scenes; None if others are made."""
        fresh = self.without or self.robot != DEFAULT
        return None if fresh else load_suite(find(self.suite))


def examine(
    policies: Sequence[str],
    sitting: Sitting,
    workers: Workers,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Measures a policy, or two as one.

    Args:
        policies: Its name, directory or hub id, or that of a baseline; or two, of which
            the first says where to touch, the second where to go.
        sitting: On what.
        workers: They build and execute.
        progress: Told the scenes done.

    Returns:
        By `<scene>/<split>` the figures of `scripts/evaluate.py` and, a digit a scene
        in the suite's order, `solved` and `touched`: whether the middle of the first
        answer's box is in the reference's box. A dash is of a scene that was put aside.
        Plain data.
    """
    answerers = [load_answerer(path) for path in policies]
    answerer = compose(*answerers) if len(answerers) > 1 else answerers[0]
    suite = sitting.read_suite()
    found: dict[str, Any] = {}
    done = 0
    for env in sitting.envs:
        for split in sitting.splits:
            source = SceneSource(
                names=(env,),
                split=split,
                waypoints=sitting.waypoints,
                answer=Plan.kind,
                without=tuple(sitting.without),
                knowledge=sitting.knowledge,
                robot=sitting.robot,
            )
            exam = Exam(
                source=source,
                n=sitting.n,
                max_turns=sitting.max_turns,
                suite=suite,
            )
            touched: dict[int, bool] = {}
            evaluation, _ = evaluate(
                answerer,
                exam,
                Referee(workers=workers),
                on_episode=partial(note_touch, touched),
            )
            found[f"{env}/{split}"] = evaluation.to_row() | {
                "solved": join_digits(exam, evaluation.solved.get(env, {})),
                "touched": join_digits(exam, touched),
            }
            done += sitting.n
            progress(done)
    return found


def load_answerer(path: str) -> Answerer:
    """Returns what answers scenes: a baseline, or a model that does not guess."""
    if path in BASELINES:
        return answer_scripted(BASELINES[path])
    return answer_greedily(policy.load(path), LONGEST)


def note_touch(touched: dict[int, bool], episode: Sequence[Rollout]) -> None:
    """Notes by its seed whether an episode's first answer touches the right part.

    The episode itself is not kept: it is 15 MB.
    """
    touched[episode[0].scene.seed] = touches(episode[0])


def touches(rollout: Rollout) -> bool:
    """Whether the middle of an answer's box is in the reference's box."""
    box, reference = getattr(rollout.answer, "box", None), rollout.scene.reference
    if box is None or reference is None:
        return False
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    low, high = reference.box[:2], reference.box[2:]
    return all(a <= m <= b for a, m, b in zip(low, middle, high, strict=True))


def join_digits(exam: Exam, flags: Mapping[int, bool]) -> str:
    """Returns a digit for each scene that was asked for, a dash where there is none."""
    return "".join(
        str(int(flags[seed])) if seed in flags else ASIDE for seed in exam.list_seeds()
    )
