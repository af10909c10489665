"""Beside TRL's GRPOTrainer: equal weights, prompts, length of answers and reward.

TRL trains as usual; after each of its steps ours takes the same prompts, so they take
turns and whatever else the machine does hits both. The same weights train, and layers
run again for the gradient on both sides or on none. TRL is set up for speed: no KL
term, no second scoring, a cache in generation, and products in bfloat16 where they are
faster. Each side has the numbers that suit it.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from PIL import Image
from transformers import TrainerCallback
from transformers.utils import logging
from trl.trainer.grpo_config import GRPOConfig as TRLConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from envs.answer import PARSERS
from envs.scene import Scene
from policy.model.prompt import build_messages, build_prompt
from policy.model.vlm import VLM
from policy.records import Prompt
from policy.runtime.clock import Clock
from policy.runtime.processor import read_processor
from policy.training.checkpoint import build_learner
from rewards import score

from .figures import Figures, divide, summarise, summarise_rows
from .step import run_step
from .stopwatch import now, take_gpu_peak_gib, time_call
from .workload import PLAIN, RATE, FixedLength, Workload, list_unsayable

Reward = Callable[[list[int], list[list[int]]], list[float]]
"""From P * G numbers of prompts and as many answers in tokens to rewards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One step of each.

    Attributes:
        ours: Seconds of ours.
        trl: Seconds of TRL's.
        reward: Those of TRL's that the reward took.
        ours_gib: Most GPU memory of ours, the models of both included.
        trl_gib: Most GPU memory of TRL's, the models of both included.
    """

    ours: float
    trl: float
    reward: float
    ours_gib: float
    trl_gib: float


def choose_numbers(work: Workload) -> bool:
    """Returns whether TRL steps faster with products in bfloat16, by timing both."""
    if torch.cuda.is_available() or not read_processor().bf16:
        return False  # the weights' own type decides, as with ours
    return _time_trl(work, bf16=True) < _time_trl(work, bf16=False)


def _time_trl(work: Workload, *, bf16: bool) -> float:
    """Returns the seconds of TRL's second step."""
    work = replace(work, trl_bf16=bf16, size=replace(work.size, rounds=1))
    prompts, tokens = work.build_prompts(work.size.prompts * 2), work.size.tokens[-1]
    settings = describe_run(work, work.load(), work.size.groups[-1], tokens)
    settings["generation_kwargs"]["min_new_tokens"] = tokens
    [pair] = alternate(work, work.load(), prompts, settings, _invent, lambda i: None)
    return pair.trl


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


def describe_run(work: Workload, vlm: VLM, group: int, tokens: int) -> dict[str, Any]:
    """Returns TRL's settings: plain GRPO, nothing that a step does not need."""
    size = work.size
    return {
        "per_device_train_batch_size": size.prompts * group // size.trl_passes,
        "gradient_accumulation_steps": size.trl_passes,
        "num_generations": group,
        "max_completion_length": tokens,
        "max_steps": size.rounds + 1,
        "learning_rate": RATE,
        "lr_scheduler_type": "constant",
        "temperature": 1.0,
        "generation_kwargs": {"suppress_tokens": list_unsayable(vlm)},
        "beta": 0.0,
        "shuffle_dataset": False,
        "gradient_checkpointing": work.gradient_checkpointing,
        "bf16": work.trl_bf16,
        "use_cpu": not torch.cuda.is_available(),
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "model_init_kwargs": {"dtype": work.dtype},
    }


def alternate(
    work: Workload,
    vlm: VLM,
    prompts: Sequence[Prompt],
    settings: dict[str, Any],
    reward: Reward,
    step: Callable[[int], None],
) -> list[Pair]:
    """Lets TRL take its steps, and ours one after each of them.

    Args:
        work: What is measured.
        vlm: Ours: has the processor, and TRL trains the weights that train here.
        prompts: P for each step.
        settings: TRL's settings.
        reward: Judges TRL's answers.
        step: Takes our step of a number.

    Returns:
        The pairs but the first, which warms up.
    """
    turns = _Turns(step, reward)
    judge: Any = turns.judge
    rows = [
        {
            "prompt": build_messages(prompt, vlm.processor.settings.prompt_style),
            "image": Image.fromarray(prompt.image),
            "number": number,
        }
        for number, prompt in enumerate(prompts)
    ]
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.set_verbosity_error()
        trainer = GRPOTrainer(
            model=str(work.home),
            args=TRLConfig(output_dir=folder, **settings),
            train_dataset=Dataset.from_list(rows),
            processing_class=vlm.processor.stock,
            reward_funcs=judge,
            callbacks=[turns],
            peft_config=_describe_adapters(work, vlm),
        )
        _train_alike(trainer.model, vlm)
        with redirect_stdout(io.StringIO()):  # a summary that would break the table
            trainer.train()
    return turns.pairs[1:]


def _describe_adapters(work: Workload, vlm: VLM) -> LoraConfig | None:
    """Adapters of the size of ours, in the layers that have ours."""
    if work.lora is None:
        return None
    layers = vlm.model.named_modules()
    adapted = [name for name, layer in layers if isinstance(layer, LoraLayer)]
    return LoraConfig(
        r=work.lora.rank, lora_alpha=work.lora.alpha, target_modules=adapted
    )


def _train_alike(model: Any, vlm: VLM) -> None:
    """Lets those weights of TRL's model train that train in ours."""
    ours = dict(vlm.model.named_parameters())
    for name, weight in model.named_parameters():
        own = name.removeprefix("base_model.model.")  # where peft wraps the model
        weight.requires_grad_(ours[own].requires_grad)


class _Turns(TrainerCallback):
    """Takes our step after each of TRL's and notes the seconds of both."""

    def __init__(self, step: Callable[[int], None], reward: Reward) -> None:
        self.pairs: list[Pair] = []
        self._step, self._reward = step, reward
        self._start = self._judging = 0.0

    def judge(
        self, completion_ids: list[list[int]], number: list[int], **_: Any
    ) -> list[float]:
        """TRL's reward function."""
        start = now()
        rewards = self._reward(number, completion_ids)
        self._judging += now() - start
        return rewards

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before TRL generates."""
        take_gpu_peak_gib()
        self._start, self._judging = now(), 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After TRL's optimizer; what TRL logs is not counted."""
        trl, trl_gib = now() - self._start, take_gpu_peak_gib()
        ours = time_call(partial(self._step, len(self.pairs)))
        self.pairs.append(
            Pair(
                ours=ours,
                trl=trl,
                reward=self._judging,
                ours_gib=take_gpu_peak_gib(),
                trl_gib=trl_gib,
            )
        )
