"""The one way from scenes to rollouts: answer, parse, execute, score.

Training and evaluation both go it. Answers to a scene are executed while those to
others are still being thought of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from envs.answer import NORMALIZED, PARSERS
from envs.records import AnyAnswer, Completion, Outcome
from envs.rollout import UNREWARDED, Rollout
from envs.scene import AnyScene, Picture
from policy.model.prompt import build_prompt
from policy.records import Group, Said
from policy.rollout.workers import Running, Workers
from policy.runtime.clock import Clock
from rewards import RewardMix, score

Answerer = Callable[[Sequence[AnyScene]], Iterator[Said]]
"""Answers scenes, each once, in any order, as its answers end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Referee:
    """Who executes answers, and what they earn.

    Attributes:
        workers: They execute.
        mix: What is rewarded; None rewards nothing.
        picture_mix: What is rewarded of annotated images, if it is something else.
        clock: Told the seconds of `sample`, `simulate` and `judge`.
    """

    workers: Workers
    mix: RewardMix | None = None
    picture_mix: RewardMix | None = None
    clock: Clock = field(default_factory=Clock)

    def choose_mix(self, scene: AnyScene) -> RewardMix | None:
        """Returns what is rewarded of a scene or of an annotated image."""
        own = self.picture_mix if isinstance(scene, Picture) else None
        return own or self.mix


def answer_scripted(baseline: Callable[[AnyScene], str]) -> Answerer:
    """Returns a function from a scene to a text as an answerer."""

    def answer(scenes: Sequence[AnyScene]) -> Iterator[Said]:
        for place, scene in enumerate(scenes):
            yield Said(
                place=place,
                prompt=build_prompt(scene.observation),
                completions=[Completion(text=baseline(scene))],
                codec=NORMALIZED,
            )

    return answer


def play(
    answerer: Answerer, scenes: Sequence[AnyScene], referee: Referee
) -> list[Group]:
    """Answers scenes, executes and judges the answers.

    Returns:
        A group for each scene, in their order.
    """
    if not scenes:
        return []
    clock = referee.clock
    with clock.measure("sample"):
        heard = [_hear(scenes[s.place], s, referee) for s in answerer(scenes)]
    heard.sort(key=lambda one: one.said.place)
    with clock.measure("simulate"):
        outcomes = [one.running.result() for one in heard]
    with clock.measure("judge"):
        return [
            _judge(scene, one, happened, referee.choose_mix(scene))
            for one, happened in zip(heard, outcomes, strict=True)
            for scene in [scenes[one.said.place]]
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """Answers to one scene that have been read and are being executed."""

    said: Said
    answers: Sequence[AnyAnswer]
    running: Running


def _hear(scene: AnyScene, said: Said, referee: Referee) -> _Heard:
    parse = PARSERS[scene.observation.answer]
    answers = [parse(completion.text, said.codec) for completion in said.completions]
    return _Heard(said, answers, referee.workers.submit(scene, answers))


def _judge(
    scene: AnyScene,
    heard: _Heard,
    outcomes: Sequence[Outcome | None],
    mix: RewardMix | None,
) -> Group:
    rows = zip(heard.said.completions, heard.answers, outcomes, strict=True)
    return Group(
        prompt=heard.said.prompt,
        rollouts=tuple(
            Rollout(
                scene=scene,
                completion=completion,
                answer=answer,
                outcome=outcome,
                reward=score(answer, scene.reference, outcome, mix)
                if mix
                else UNREWARDED,
            )
            for completion, answer, outcome in rows
        ),
    )
