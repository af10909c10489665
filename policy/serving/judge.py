"""From a case and what a model said to rewards: parse, execute, score.

Workers load this file, and trainers that must not have our torch: it imports none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from envs.answer import PARSERS
from envs.execution.execute import simulate
from envs.records import AnyAnswer, Outcome, ParseFailure, Plan
from envs.registry import has_expert
from envs.sampling.sample import sample_scene
from envs.scene import Scene
from policy.home import HOME
from policy.serving.case import Case, read_case
from rewards import RewardMix, check_answer, score

KEPT = 32  # scenes a process keeps for the next answers, of a few MB each
SUCCESS = {"success": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one answer.

    Attributes:
        reward: 0..1, by the weights that were asked for.
        success: Whether it did what was asked; of part of a plan, whether it was read.
        parsed: Whether it could be read.
        reason: Why it failed, "" if it did not.
    """

    reward: float
    success: bool
    parsed: bool
    reason: str = ""


def read_mix(reward: str | Mapping[str, float] | RewardMix) -> RewardMix:
    """Returns what is rewarded.

    Args:
        reward: The name of a file of conf/reward, weights of `rewards.TERMS`, or a mix.

    Raises:
        ValueError: It is none of them, or there is no such file or term.
    """
    if isinstance(reward, RewardMix):
        return reward
    if isinstance(reward, Mapping):
        return RewardMix(weights=reward)
    if not isinstance(reward, str):
        raise ValueError(
            f"reward is {reward!r}; valid: the name of a file of conf/reward, or "
            "weights by term"
        )
    from envs.randomization.factors import check_choice

    files = {file.stem: file for file in (HOME / "conf" / "reward").glob("*.yaml")}
    check_choice("reward", reward, tuple(sorted(files)))
    import yaml  # not of the base: weights do without

    return RewardMix(**yaml.safe_load(files[reward].read_text()))


def check_case(case: Case, mix: RewardMix) -> None:
    """Refuses a reward that cannot be given.

    Raises:
        ValueError: It judges what was not asked for, or compares with an expert that
            the scene lacks.
    """
    check_answer(mix, case.answer)
    if mix.needs_reference and not has_expert(case.scene.name):
        raise ValueError(
            f"scene {case.scene.name!r} has no expert to compare answers with, as "
            f"reward={mix.name} would: use reward=success"
        )


def judge(case: str, texts: Sequence[str], mix: RewardMix) -> list[Verdict]:
    """Judges answers to one scene, which is made here; equal plans are executed once.

    Args:
        case: What `write_case` wrote.
        texts: What was said, anything.
        mix: What is rewarded.
    """
    read, scene = read_case(case), make_scene(case)
    answers = [PARSERS[read.answer](text, read.codec) for text in texts]
    outcomes = _execute(scene, answers, read.answer)
    return [
        _describe(answer, outcome, score(answer, scene.reference, outcome, mix).total)
        for answer, outcome in zip(answers, outcomes, strict=True)
    ]


@lru_cache(maxsize=KEPT)
def make_scene(case: str) -> Scene:
    """Returns the scene of a case. Shared: never step it."""
    return sample_scene(read_case(case).scene)


def _execute(
    scene: Scene, answers: Sequence[AnyAnswer], kind: str
) -> Sequence[Outcome | None]:
    """Outcomes; None of parts of a plan, which are not executed."""
    if kind != Plan.kind:
        return [None] * len(answers)
    plans = [a for a in answers if isinstance(a, Plan | ParseFailure)]
    return simulate(scene, plans, threads=1)


def _describe(answer: AnyAnswer, outcome: Outcome | None, reward: float) -> Verdict:
    parsed = not isinstance(answer, ParseFailure)
    found = Verdict(reward=reward, success=parsed, parsed=parsed)
    if outcome is not None:
        return replace(found, success=outcome.success, reason=outcome.reason)
    return found if parsed else replace(found, reason=answer.reason)
