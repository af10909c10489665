"""Beside the plain path: image and prompt go through the model for every answer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from torch import Tensor

from policy.grpo.batch import Policy
from policy.model.vlm import VLM
from policy.records import Completion, Prompt
from policy.runtime.clock import Clock

from .figures import Figures, divide, summarise
from .stopwatch import time_call
from .workload import FixedLength, Groups, Workload, list_unsayable


def measure_plain(work: Workload) -> Figures:
    """Returns how much faster sampling and update are than the plain way.

    The plain way samples by the stock `generate` and scores by `VLM.score_plain`.
    """
    size, learner = work.size, FixedLength(work.load(), work.size.passes)
    prompts = work.build_prompts(size.prompts)
    tokens, clock = size.tokens[-1], Clock()

    def share() -> None:
        learner.run(prompts, size.groups[-1], tokens, clock)

    def repeat() -> None:
        groups = generate(learner.vlm, prompts, size.groups[-1], tokens)
        learner.update(prompts, groups, Plain(learner.vlm))

    pairs = [(time_call(share), time_call(repeat)) for _ in range(size.rounds + 1)]
    ours, plain = zip(*pairs[1:], strict=True)
    return {
        "model_speedup_vs_plain": divide(plain, ours),
        "plain.ours_s": summarise(ours),
        "plain.plain_s": summarise(plain),
    }


class Plain(Policy):
    """A policy whose answers each have a prompt of their own."""

    def __init__(self, vlm: VLM) -> None:
        self._vlm = vlm

    @property
    def model(self) -> Any:
        """The very model."""
        return self._vlm.model

    def count_tokens(self, prompt: Prompt) -> int:
        """Returns how many tokens a prompt has."""
        return self._vlm.count_tokens(prompt)

    def score(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[Sequence[Completion]],
        *,
        temperature: float,
    ) -> Tensor:
        """Returns [P, G, T] log-probabilities, with gradient."""
        return self._vlm.score_plain(prompts, completions, temperature=temperature)

    def reference(self) -> AbstractContextManager[object]:
        """Makes `score` use the weights from before training."""
        return self._vlm.reference()


def generate(vlm: VLM, prompts: Sequence[Prompt], n: int, tokens: int) -> Groups:
    """Returns n answers to each prompt, of so many tokens, by the stock `generate`."""
    inputs = vlm.processor.encode([prompt for prompt in prompts for _ in range(n)])
    model: Any = vlm.model
    rows = model.generate(
        **{name: value.to(model.device) for name, value in inputs.items()},
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        min_new_tokens=tokens,
        max_new_tokens=tokens,
        suppress_tokens=list_unsayable(vlm),
    )[:, -tokens:].tolist()
    unknown = np.zeros(tokens, np.float32)
    answers = [
        Completion(
            text=vlm.processor.decode(row),
            token_ids=tuple(row),
            logprobs=unknown,
            finished=False,
        )
        for row in rows
    ]
    return [answers[i : i + n] for i in range(0, len(answers), n)]
