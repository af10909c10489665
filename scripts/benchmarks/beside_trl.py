"""Beside TRL's GRPOTrainer: equal weights, prompts, length of answers and reward.

TRL trains as usual; after each of its steps ours takes the same prompts, so they take
turns and whatever else the machine does hits both. The same weights train, and layers
run again for the gradient on both sides or on none. TRL is set up for speed: no KL
term, no second scoring, a cache in generation, and products in bfloat16 where they are
faster. Each side has the numbers that suit it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import torch

from envs.answer import PARSERS
from envs.scene import Scene
from policy.model.prompt import build_prompt
from policy.model.vlm import VLM
from policy.records import Prompt
from policy.runtime.clock import Clock
from policy.runtime.processor import read_processor
from policy.training.checkpoint import build_learner
from rewards import score

from .figures import Figures, divide, summarise, summarise_rows
from .step import run_step
from .trl_turns import Pair, alternate, describe_run
from .workload import PLAIN, FixedLength, Workload


def choose_numbers(work: Workload) -> bool:
    """Returns whether TRL steps faster with products in bfloat16, by timing both."""
    if torch.cuda.is_available() or not read_processor().bf16:
        return False  # the weights' own type decides, as with ours
    return _time_trl(work, bf16=True) < _time_trl(work, bf16=False)


def _time_trl(work: Workload, *, bf16: bool) -> float:
    """Returns the median of three steps: noise may decide about a single one."""
    work = replace(work, trl_bf16=bf16, size=replace(work.size, rounds=3))
    size, tokens = work.size, work.size.tokens[-1]
    prompts = work.build_prompts(size.prompts * (size.rounds + 1))
    settings = describe_run(work, work.load(), work.size.groups[-1], tokens)
    settings["generation_kwargs"]["min_new_tokens"] = tokens
    pairs = alternate(work, work.load(), prompts, settings, _invent, lambda i: None)
    return median(pair.trl for pair in pairs)


def _invent(_: list[int], answers: list[list[int]]) -> list[float]:
    """The later an answer, the better."""
    return [float(i) for i in range(len(answers))]


def measure_models(work: Workload) -> Figures:
    """Returns how much faster sampling and update are, for each length and G."""
    size = work.size
    learner = FixedLength(work.load(), size.passes, bf16=work.algo.bf16)
    prompts = work.build_prompts(size.prompts * (size.rounds + 1))
    figures, last = {}, ""
    for group in size.groups:
        for tokens in size.tokens:
            last = f"trl.g{group}_t{tokens}."
            pairs = _alternate_models(work, learner, prompts, group, tokens)
            figures |= _describe_pairs(pairs, last)
    return {**figures, "model_speedup_vs_trl": figures[f"{last}speedup"]}


def _alternate_models(
    work: Workload,
    learner: FixedLength,
    prompts: Sequence[Prompt],
    group: int,
    tokens: int,
) -> list[Pair]:
    """Steps of one length of answers, whose rewards are made up."""

    def step(i: int) -> None:
        asked = prompts[i * work.size.prompts : (i + 1) * work.size.prompts]
        learner.run(asked, group, tokens, Clock())

    settings = describe_run(work, learner.vlm, group, tokens)
    settings["generation_kwargs"]["min_new_tokens"] = tokens
    return alternate(work, learner.vlm, prompts, settings, _invent, step)


def _describe_pairs(pairs: Sequence[Pair], prefix: str) -> Figures:
    """Figures of sampling and update alone, and of GPU memory where there is one."""
    rows = [
        {
            "ours_s": pair.ours,
            "trl_s": pair.trl - pair.reward,
            "speedup": (pair.trl - pair.reward) / pair.ours,
        }
        for pair in pairs
    ]
    if torch.cuda.is_available():
        for row, pair in zip(rows, pairs, strict=True):
            row |= {"ours_gib": pair.ours_gib, "trl_gib": pair.trl_gib}
    return summarise_rows(rows, prefix)


def measure_steps(work: Workload) -> Figures:
    """Returns how much faster the whole step is, answers as long as they come out."""
    size, group = work.size, work.size.groups[-1]
    count = size.prompts * (size.rounds + 1)
    scenes = next(work.workers.make_scenes(work.source, [range(count)]))
    prompts = [build_prompt(scene.observation) for scene in scenes]
    vlm, tokens = work.load(), work.rollout.max_new_tokens
    algo = replace(PLAIN, bf16=work.algo.bf16)
    learner = build_learner(vlm, algo)
    rollout = replace(work.rollout, num_generations=group, temperature=1.0)

    def simulate(numbers: list[int], answers: list[list[int]]) -> list[float]:
        asked = [scenes[number] for number in numbers[::group]]
        texts = [vlm.processor.decode(answer) for answer in answers]
        return simulate_rewards(work, vlm, asked, texts)

    def step(i: int) -> None:
        asked = scenes[i * size.prompts : (i + 1) * size.prompts]
        run_step(learner, asked, replace(work, algo=algo), rollout, Clock())

    settings = describe_run(work, vlm, group, tokens)
    pairs = alternate(work, vlm, prompts, settings, simulate, step)
    ours, trl = [pair.ours for pair in pairs], [pair.trl for pair in pairs]
    return {
        "step_speedup_vs_trl": divide(trl, ours),
        "trl.step.ours_s": summarise(ours),
        "trl.step.trl_s": summarise(trl),
        "trl.step.trl_reward_s": summarise([pair.reward for pair in pairs]),
    }


def simulate_rewards(
    work: Workload, vlm: VLM, scenes: Sequence[Scene], texts: Sequence[str]
) -> list[float]:
    """Returns the simulated rewards of P * G answers, as training has them."""
    size, parse = len(texts) // len(scenes), PARSERS[work.source.answer]
    codec = vlm.codec(build_prompt(scenes[0].observation))
    parsed = [parse(text, codec) for text in texts]
    answers = [parsed[i : i + size] for i in range(0, len(parsed), size)]
    outcomes = work.workers.simulate(list(zip(scenes, answers, strict=True)))
    return [
        score(answer, scene.reference, outcome, work.mix).total
        for scene, *rows in zip(scenes, answers, outcomes, strict=True)
        for answer, outcome in zip(*rows, strict=True)
    ]
