"""Whether a policy follows the words: the same image, asked for something else.

A policy that finds what is usually asked for, or whatever stands out, is right as often
as that happens to be named. So each scene is asked for another of its candidates, and
the answer is executed and judged by both goals, the one that was named and the one that
was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.answer import parse_answer
from envs.records import ParseFailure, Plan, Reference
from envs.sampling.asking import ask_goal
from envs.sampling.reference import make_reference
from envs.scene import AnyScene, Scene
from policy.evaluation.evaluate import Exam, split_batches
from policy.evaluation.statistics import Estimate, describe_estimates, estimate_rate
from policy.rollout.play import Answerer
from policy.rollout.workers import Workers
from rewards import compute_metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Obedience:
    """How a policy follows the words, of scenes with several candidates.

    Attributes:
        n: Scenes.
        named: Success by the goal that was asked for.
        unnamed: Success by the goal that the scene had asked for before.
        chosen: Whether the expert's answer nearest to the policy's is that to what was
            asked for, among those to all candidates.
    """

    n: int
    named: Estimate
    unnamed: Estimate
    chosen: Estimate

    def to_row(self) -> dict[str, Any]:
        """Returns means and intervals as plain data for JSON."""
        estimates = {name: getattr(self, name) for name in FIGURES}
        return {"n": self.n, **describe_estimates(estimates)}


FIGURES = ("named", "unnamed", "chosen")


def measure_obedience(
    answerer: Answerer,
    exam: Exam,
    workers: Workers,
    progress: Callable[[int], None] = lambda done: None,
) -> Obedience:
    """Asks the scenes of an exam for another of their candidates.

    Args:
        answerer: The policy.
        exam: Scenes of a kind with an expert, one turn; those with one candidate alone
            are left out.
        workers: They build and execute.
        progress: Told the number of scenes done after each batch.

    Raises:
        ValueError: If no scene has a second candidate, a part of a plan is asked, which
            nobody executes, or a scene is not the suite's.
    """
    source = exam.source
    if source.answer != Plan.kind:
        raise ValueError(f"words=true with answer={source.answer}: use answer=plan")
    named, unnamed, chosen = [], [], []
    done = 0
    for scenes in workers.make_scenes(source, split_batches(exam.list_seeds())):
        exam.check_frozen(scenes)
        pairs = list(_swap_all(scenes))
        answers = _hear(answerer, [other for _, other in pairs])
        for kept, place in ((unnamed, 0), (named, 1)):
            asked = [(p[place], [a]) for p, a in zip(pairs, answers, strict=True)]
            kept += [bool(o and o.success) for [o] in workers.simulate(asked)]
        chosen += [
            _is_nearest(other, answer)
            for (_, other), answer in zip(pairs, answers, strict=True)
        ]
        done += len(scenes)
        progress(done)
    if not chosen:
        raise ValueError(
            f"env={source.name}: none of {done} scenes has another candidate to ask "
            f"for; take a larger n, or leave it out by env.without=[{source.name}]"
        )
    return Obedience(
        n=len(chosen),
        named=estimate_rate(named),
        unnamed=estimate_rate(unnamed),
        chosen=estimate_rate(chosen),
    )


def _hear(answerer: Answerer, scenes: Sequence[Scene]) -> list[Plan | ParseFailure]:
    """The policy's answers, in the order of the scenes."""
    said = sorted(answerer(scenes), key=lambda s: s.place) if scenes else []
    return [parse_answer(s.completions[0].text, s.codec) for s in said]


def swap(scene: Scene) -> Scene | None:
    """Returns the scene asked for another of its candidates; None if there is none."""
    goals = scene.others if scene.reference is not None else ()
    asked = (ask_goal(scene, goal) for goal in goals)
    return next((other for other in asked if other is not None), None)


def _swap_all(scenes: Sequence[AnyScene]) -> Iterator[tuple[Scene, Scene]]:
    for scene in scenes:
        if isinstance(scene, Scene) and (other := swap(scene)) is not None:
            yield scene, other


def _is_nearest(scene: Scene, answer: Plan | ParseFailure) -> bool:
    """Whether an answer is nearer to what was asked than to any other candidate."""
    if isinstance(answer, ParseFailure):
        return False
    assert scene.reference is not None
    others = [make_reference(scene, goal) for goal in scene.others]
    distance = _measure(answer, scene.reference)
    return all(o is None or distance < _measure(answer, o) for o in others)


def _measure(answer: Plan, reference: Reference) -> float:
    """How far the boxes' centres are apart, and the paths at their farthest."""
    centres = np.array([answer.box, reference.box]).reshape(2, 2, 2).mean(axis=1)
    apart = np.linalg.norm(centres[0] - centres[1])
    return float(apart) + compute_metrics(answer, reference).dfd
