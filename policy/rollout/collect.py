"""Collects experience: scenes answered G times, turn after turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from envs.records import AnyAnswer
from envs.scene import AnyScene, Scene
from policy.model.prompt import build_prompt
from policy.model.vlm import VLM
from policy.records import Group, Said
from policy.rollout.config import RolloutConfig
from policy.rollout.play import Answerer, Referee, play
from policy.rollout.scene_source import choose_seeds
from policy.runtime.distributed import ALONE, Team


def answer_by_sampling(vlm: VLM, config: RolloutConfig, key: Sequence[int]) -> Answerer:
    """Returns a model as what draws several answers to each scene.

    Args:
        vlm: The policy.
        config: How to sample.
        key: Seeds the answers, with the seed of their scene.
    """

    def answer(scenes: Sequence[AnyScene]) -> Iterator[Said]:
        return _ask(
            vlm,
            scenes,
            config.num_generations,
            temperature=config.temperature,
            max_new_tokens=config.max_new_tokens,
            seeds=[choose_seeds(1, *key, scene.seed)[0] for scene in scenes],
        )

    return answer


def answer_greedily(vlm: VLM, max_new_tokens: int) -> Answerer:
    """Returns a model as what it says when it does not guess."""
    return lambda scenes: _ask(
        vlm, scenes, 1, temperature=0.0, max_new_tokens=max_new_tokens
    )


def _ask(
    vlm: VLM, scenes: Sequence[AnyScene], n: int, **sampling: Any
) -> Iterator[Said]:
    """Yields n answers to each scene as they end; see `VLM.stream`."""
    prompts = [build_prompt(scene.observation) for scene in scenes]
    for place, completions in vlm.stream(prompts, n, **sampling):
        yield Said(
            place=place,
            prompt=prompts[place],
            completions=completions,
            codec=vlm.codec(prompts[place]),
        )


def collect(
    vlm: VLM,
    scenes: Sequence[AnyScene],
    config: RolloutConfig,
    referee: Referee,
    key: Sequence[int],
    team: Team = ALONE,
) -> list[Group]:
    """Answers each scene G times, executes and judges the answers, turn after turn.

    A later turn starts from what a scene's first failed answer left behind. Its answers
    are compared with each other alone: every turn is a question of its own.

    Args:
        vlm: The policy.
        scenes: This process's share of P scenes.
        config: How to sample, and how many turns.
        referee: Executes and judges.
        key: Seeds the answers, with the seed of their scene and the turn.
        team: The processes that share the scenes.

    Returns:
        P groups of the first turn, then those of the next, from all processes.
    """
    groups: list[Group] = []
    for turn in range(config.max_turns):
        played = play(answer_by_sampling(vlm, config, (*key, turn)), scenes, referee)
        own = [replace(group, turn=turn + 1) for group in played]
        groups += team.gather(own)
        if turn + 1 < config.max_turns:
            with referee.clock.measure("simulate"):
                scenes = referee.workers.follow_up(_list_failed(own))
    return groups


def _list_failed(groups: Sequence[Group]) -> list[tuple[Scene, AnyAnswer]]:
    """The first answer to each scene that failed."""
    pairs: list[tuple[Scene, AnyAnswer]] = []
    for group in groups:
        scene = group.scene
        if not isinstance(scene, Scene):
            continue
        failed = (r for r in group.rollouts if r.outcome and not r.outcome.success)
        pairs += [(scene, rollout.answer) for rollout in islice(failed, 1)]
    return pairs
