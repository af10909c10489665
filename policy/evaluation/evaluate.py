"""Held-out evaluation: greedy answers, executed and measured (`policy.evaluation.figures`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from envs.answer import NORMALIZED, PARSERS, Codec
from envs.sampling.suite import Suite
from envs.scene import Scene
from policy.evaluation.figures import Attempt, Evaluation, Tally
from policy.model.prompt import build_prompt
from policy.model.vlm import VLM
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from rewards import RewardMix, check_asked, score

BATCH = 25  # scenes at once: bounds memory, fills the cores

Answerer = Callable[[Sequence[Scene]], list[tuple[str, Codec]]]
"""From scenes to texts, each with the coordinates it is written in."""


def answer_greedily(vlm: VLM, max_new_tokens: int) -> Answerer:
    """Returns a model as what it says when it does not guess."""

    def answer(scenes: Sequence[Scene]) -> list[tuple[str, Codec]]:
        prompts = [build_prompt(scene.observation) for scene in scenes]
        completions = vlm.sample(
            prompts, 1, temperature=0.0, max_new_tokens=max_new_tokens
        )
        return [
            (row[0].text, vlm.codec(prompt))
            for row, prompt in zip(completions, prompts, strict=True)
        ]

    return answer


def answer_scripted(baseline: Callable[[Scene], str]) -> Answerer:
    """Returns one of `policy.evaluation.baselines` as an answerer."""
    return lambda scenes: [(baseline(scene), NORMALIZED) for scene in scenes]


def choose_seeds(n: int, *key: int) -> list[int]:
    """Returns n scene seeds that depend on `key` alone, e.g. (seed, step)."""
    return np.random.SeedSequence(key).generate_state(n).tolist()


def evaluate(
    answerer: Answerer,
    source: SceneSource,
    workers: Workers,
    *,
    n: int,
    seed: int = 0,
    keep: int = 0,
    mix: RewardMix | None = None,
    max_turns: int = 1,
    suite: Suite | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Evaluation, list[Attempt]]:
    """Answers n scenes and measures the answers.

    Args:
        answerer: The policy.
        source: Where the scenes come from.
        workers: They build and execute.
        n: Scenes.
        seed: Chooses them; equal seeds give equal scenes to every policy.
        suite: Frozen scenes; then the first n of its seeds are taken, and each scene
            must be the one that was frozen.
        keep: Of how many scenes to return the attempts, for videos.
        mix: Reward of the kept attempts; None gives none.
        max_turns: Answers to a scene until one succeeds; each sees what the last left.
        progress: Told the number of scenes done after each batch.

    Returns:
        The figures, and the attempts at the first `keep` scenes, turn after turn.

    Raises:
        ValueError: If n or max_turns is below 1, n more than the suite has, a scene is
            not the suite's, or what is asked has no reward by the mix or no next turn.
    """
    if n < 1:
        raise ValueError(f"n is {n}; at least 1 scene needed")
    source.check_turns(max_turns)
    if mix is not None:
        check_asked(mix, source.asked)
    seeds = choose_scenes(source, n, seed, suite)
    batches = split_batches(seeds)
    tally, kept = Tally(source.asked), []
    for scenes in workers.make_scenes(source, batches):
        if suite is not None:
            suite.check(scenes)
        for episode in _play(answerer, scenes, workers, mix, max_turns):
            tally.add(episode)
            if tally.n <= keep:
                kept += episode
        progress(tally.n)
    return tally.summarize(), kept


def split_batches(seeds: Sequence[int]) -> list[Sequence[int]]:
    """Returns seeds in batches of `BATCH`."""
    return [seeds[i : i + BATCH] for i in range(0, len(seeds), BATCH)]


def choose_scenes(
    source: SceneSource, n: int, seed: int, suite: Suite | None
) -> list[int]:
    """Returns the seeds of n scenes: those of `seed`, or the first of a suite."""
    if suite is None:
        return choose_seeds(n, seed)
    seeds = suite.list_seeds(source.name, source.split)
    if source.varied:
        raise ValueError("varied=true: a suite has its scenes as they were frozen")
    if source.shifts:
        raise ValueError(f"shifts={list(source.shifts)}: a suite has all axes shifted")
    if source.camera:
        raise ValueError(f"camera={source.camera}: a suite has its own cameras")
    if n > len(seeds):
        raise ValueError(f"n is {n}; the suite has {len(seeds)} of {source.name!r}")
    return seeds[:n]


def _play(
    answerer: Answerer,
    scenes: Sequence[Scene],
    workers: Workers,
    mix: RewardMix | None,
    max_turns: int,
) -> list[list[Attempt]]:
    """Returns for each scene its attempts, the last one a success or the last turn."""
    episodes = [[attempt] for attempt in _attempt(answerer, scenes, workers, mix)]
    for _ in range(max_turns - 1):
        failed = [episode for episode in episodes if not episode[-1].succeeded]
        pairs = [(episode[-1].scene, episode[-1].answer) for episode in failed]
        again = _attempt(answerer, workers.follow_up(pairs), workers, mix)
        for episode, attempt in zip(failed, again, strict=True):
            episode.append(attempt)
    return episodes


def _attempt(
    answerer: Answerer,
    scenes: Sequence[Scene],
    workers: Workers,
    mix: RewardMix | None,
) -> list[Attempt]:
    if not scenes:
        return []
    said = answerer(scenes)
    answers = [
        PARSERS[scene.observation.asked](text, codec)
        for scene, (text, codec) in zip(scenes, said, strict=True)
    ]
    pairs = [(scene, [answer]) for scene, answer in zip(scenes, answers, strict=True)]
    outcomes = [group[0] for group in workers.simulate(pairs)]
    return [
        Attempt(
            scene=scene,
            text=text,
            answer=answer,
            outcome=outcome,
            reward=mix and score(answer, scene.reference, outcome, mix),
        )
        for scene, (text, _), answer, outcome in zip(
            scenes, said, answers, outcomes, strict=True
        )
    ]
