"""TRL's GRPOTrainer as it trains, and a step of ours after each of its steps."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
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

from policy.model.prompt import build_messages
from policy.model.vlm import VLM
from policy.records import Prompt

from .stopwatch import now, take_gpu_peak_gib, time_call
from .workload import RATE, Workload, list_unsayable

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
