"""Collects experience: scenes -> prompts -> answers -> plans -> outcomes -> rewards."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

from envs.answer import PARSERS
from envs.records import AnyAnswer, Outcome, ParseFailure
from envs.scene import Scene
from policy.model.prompt import build_prompt
from policy.model.vlm import VLM
from policy.records import Completion, Rollout
from policy.rollout.scene_source import choose_seeds
from policy.rollout.workers import Workers
from policy.runtime.clock import Clock
from policy.runtime.distributed import ALONE, Team
from rewards import TERMS, RewardMix, score


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutConfig:
    """How answers are drawn.

    Attributes:
        prompts: Scenes a step, P.
        num_generations: Answers a scene, G; at least 2, they are compared.
        temperature: Of sampling, above 0.
        max_new_tokens: Longest answer.
        focus: Of several kinds of scenes, the part of a step that goes to those whose
            outcome is open, 0..1; see `policy.rollout.curriculum`.
        workers: Processes for scenes and simulation; None is one a core, 0 none.
    """

    prompts: int = 16
    num_generations: int = 8
    temperature: float = 0.7
    max_new_tokens: int = 128
    focus: float = 0.0
    workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be learned from."""
        least = {"prompts": 1, "num_generations": 2, "max_new_tokens": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ValueError(
                    f"rollout.{name} is {getattr(self, name)}; at least {value} needed"
                )
        if not self.temperature > 0:
            raise ValueError(f"rollout.temperature is {self.temperature}; must be > 0")
        if not 0 <= self.focus <= 1:
            raise ValueError(f"rollout.focus is {self.focus}; must be in 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One scene, answered G times.

    Attributes:
        scene: The scene.
        rollouts: G rollouts, all from the same snapshot.
    """

    scene: Scene
    rollouts: tuple[Rollout, ...]


def collect(
    vlm: VLM,
    scenes: Sequence[Scene],
    mix: RewardMix,
    config: RolloutConfig,
    workers: Workers,
    key: Sequence[int],
    clock: Clock,
    max_turns: int = 1,
    team: Team = ALONE,
) -> list[Group]:
    """Answers each scene G times, executes and judges the answers, turn after turn.

    A later turn starts from what a scene's first failed answer left behind. Its answers
    are compared with each other alone: every turn is a question of its own.

    Args:
        vlm: The policy.
        scenes: This process's share of P scenes.
        mix: The reward.
        config: How to sample.
        workers: They execute.
        key: Seeds the answers, with the seed of their scene and the turn.
        clock: Told the seconds of `sample`, `simulate` and `judge`.
        max_turns: Turns of a scene.
        team: The processes that share the scenes.

    Returns:
        P groups of the first turn, then those of the next, from all processes.
    """
    groups: list[Group] = []
    for turn in range(max_turns):
        own = _collect_turn(vlm, scenes, mix, config, workers, (*key, turn), clock)
        groups += team.gather(own)
        if turn + 1 < max_turns:
            with clock.measure("simulate"):
                scenes = workers.follow_up(_list_failed(own))
    return groups


def _list_failed(groups: Sequence[Group]) -> list[tuple[Scene, AnyAnswer]]:
    """The first answer to each scene that failed."""
    pairs: list[tuple[Scene, AnyAnswer]] = []
    for group in groups:
        failed = (r for r in group.rollouts if r.outcome and not r.outcome.success)
        pairs += [(group.scene, rollout.answer) for rollout in islice(failed, 1)]
    return pairs


def _collect_turn(
    vlm: VLM,
    scenes: Sequence[Scene],
    mix: RewardMix,
    config: RolloutConfig,
    workers: Workers,
    key: Sequence[int],
    clock: Clock,
) -> list[Group]:
    if not scenes:
        return []
    prompts = [build_prompt(scene.observation) for scene in scenes]
    answers: dict[int, list[AnyAnswer]] = {}
    running: dict[int, Future[Sequence[Outcome | None]]] = {}

    def execute(i: int, completions: Sequence[Completion]) -> None:
        """Simulates the answers to a scene while those to others are still sampled."""
        parse, codec = PARSERS[prompts[i].asked], vlm.codec(prompts[i])
        answers[i] = [parse(completion.text, codec) for completion in completions]
        running[i] = workers.submit(scenes[i], answers[i])

    with clock.measure("sample"):
        completions = vlm.sample(
            prompts,
            config.num_generations,
            temperature=config.temperature,
            max_new_tokens=config.max_new_tokens,
            seeds=[choose_seeds(1, *key, scene.seed)[0] for scene in scenes],
            ended=execute,
        )
    with clock.measure("simulate"):
        outcomes = [running[i].result() for i in range(len(scenes))]
    with clock.measure("judge"):
        return [
            Group(
                scene=scene,
                rollouts=tuple(
                    Rollout(
                        prompt=prompt,
                        completion=completion,
                        answer=answer,
                        outcome=outcome,
                        reward=score(answer, scene.reference, outcome, mix),
                    )
                    for completion, answer, outcome in zip(
                        completions[i], answers[i], outcomes[i], strict=True
                    )
                ),
            )
            for i, (scene, prompt) in enumerate(zip(scenes, prompts, strict=True))
        ]


def describe(groups: Sequence[Group]) -> dict[str, float]:
    """Returns the means of a step's rollouts: reward, its terms, and how they read.

    `parse_rate` is the share of texts that could be read, `cut_off` of those that the
    token limit ended, `surprise` the mean negative log-probability of a token. Of
    several kinds of scenes there is also the success of each, `success/<scene>`.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    count = len(rollouts)
    tokens = [len(r.completion.token_ids) for r in rollouts]
    logprobs = [float(r.completion.logprobs.sum(dtype=float)) for r in rollouts]
    parsed = sum(not isinstance(r.answer, ParseFailure) for r in rollouts)
    return {
        "reward": sum(r.reward.total for r in rollouts) / count,
        **{t: sum(r.reward.terms[t] for r in rollouts) / count for t in TERMS},
        "parse_rate": parsed / count,
        "cut_off": sum(not r.completion.finished for r in rollouts) / count,
        "tokens": sum(tokens) / count,
        "surprise": -sum(logprobs) / max(sum(tokens), 1),
        **_describe_scenes(groups),
    }


def _describe_scenes(groups: Sequence[Group]) -> dict[str, float]:
    names = sorted({group.scene.name for group in groups})
    if len(names) == 1:
        return {}
    successes = {name: [] for name in names}
    for group in groups:
        found = [rollout.reward.terms["success"] for rollout in group.rollouts]
        successes[group.scene.name] += found
    return {f"success/{n}": sum(row) / len(row) for n, row in successes.items()}
