"""An update that changes nothing: to see what it needs, or how long it takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from policy.grpo.average import list_trainable
from policy.grpo.batch import Batch
from policy.grpo.config import GRPOConfig
from policy.grpo.grpo import update
from policy.model.vlm import VLM
from policy.records import Completion, Prompt
from policy.training.job import Job


def build_dry_batch(
    vlm: VLM, prompt: Prompt, count: int, job: Job, length: int
) -> Batch:
    """Returns [P, G, T] answers of one length, all of which teach.

    Args:
        vlm: Knows what may be said.
        prompt: Asked P times.
        count: P prompts.
        job: Says how many answers a prompt has.
        length: T tokens of each answer.
    """
    shape = (count, job.answers, length)
    word = int(vlm.vocabulary.bias.argmax())  # any that may be said
    answer = Completion(
        text="",
        token_ids=(word,) * length,
        logprobs=np.zeros(length, np.float32),
        finished=False,
    )

    def fill(value: float) -> Tensor:
        return torch.full(shape, value)

    return Batch(
        sampling=job.sampling,
        prompts=[prompt] * count,
        completions=[[answer] * job.answers] * count,
        advantages=fill(1.0),
        mask=fill(1.0),
        old_logprobs=fill(0.0),
    )


def update_dry(vlm: VLM, batch: Batch, algo: GRPOConfig, lanes: int = 1) -> None:
    """Goes forward and backward once over a batch; no weight moves."""
    once = replace(algo, num_iterations=1, minibatches=1, tokens_per_forward=0)
    idle = _Idle([parameter for _, parameter in list_trainable(vlm)], {})
    update(vlm, idle, batch, once, torch.Generator(), lanes=lanes)


class _Idle(torch.optim.Optimizer):
    """Clears gradients and changes nothing."""

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Stays."""
