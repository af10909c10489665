"""What an update takes and what it tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from policy.records import Completion, Prompt
from policy.runtime.distributed import Team

TOLERANCE = 1e-6  # rewards, and advantages, that differ by less count as equal


class Policy(Protocol):
    """What the update needs of a policy; `policy.model.vlm.VLM` is one."""

    @property
    def model(self) -> nn.Module:
        """The module whose parameters are updated."""
        ...

    def score(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[Sequence[Completion]],
        *,
        temperature: float,
    ) -> Tensor:
        """Returns [P, G, T] log-probabilities, with gradient, 0 at padding."""
        ...

    def count_tokens(self, prompt: Prompt) -> int:
        """Returns how many tokens a prompt has, those of its image included."""
        ...

    def reference(self) -> AbstractContextManager[object]:
        """Makes `score` use the weights from before training."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How answers were drawn, which the update has to know.

    Attributes:
        temperature: Applied to the log-probabilities alike.
        max_new_tokens: Longest answer possible, the constant of `dr_grpo`.
    """

    temperature: float
    max_new_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The answers of one step and what each token of them earned.

    Attributes:
        sampling: How the answers were drawn.
        prompts: P prompts.
        completions: P groups of G completions.
        advantages: [P, G, T] float32, 0 at padding.
        mask: [P, G, T] float32, 1 at the tokens of a completion, 0 at padding.
        old_logprobs: [P, G, T] float32 at sampling, 0 at padding; NaN where an answer
            was given instead of sampled, which makes its ratio 1.
    """

    sampling: Sampling
    prompts: Sequence[Prompt]
    completions: Sequence[Sequence[Completion]]
    advantages: Tensor
    mask: Tensor
    old_logprobs: Tensor

    @property
    def signal(self) -> Tensor:
        """[P] bool, whether any answer of a group stands out from the others.

        NaN does: it must be seen by the update, which skips the step.
        """
        return ~(self.advantages.abs().amax(dim=(1, 2)) <= TOLERANCE)

    def select(self, rows: Tensor) -> Batch:
        """Returns some of the groups; T stays that of the whole batch."""
        return replace(
            self,
            prompts=[self.prompts[row] for row in rows.tolist()],
            completions=[self.completions[row] for row in rows.tolist()],
            advantages=self.advantages[rows],
            mask=self.mask[rows],
            old_logprobs=self.old_logprobs[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMetrics:
    """What an update did; means over tokens of all its passes.

    Attributes:
        loss: The minimised loss, summed over the minibatches' means.
        kl: k3 estimate of the divergence to the reference (0 when beta is 0).
        clip_fraction: Share of tokens whose ratio the clip held back.
        grad_norm: Mean norm of the gradient before clipping.
        skipped: Optimiser steps left out because loss or gradient was not finite.
        taken: Those that were taken.
    """

    loss: float
    kl: float
    clip_fraction: float
    grad_norm: float
    skipped: int
    taken: int


class Totals:
    """Sums over the passes of one update.

    Attributes:
        norms: The gradient's norm at each optimiser step, before clipping.
        skipped: Optimiser steps left out.
    """

    def __init__(self) -> None:
        self.norms: list[float] = []
        self.skipped = 0
        self._sums = torch.zeros(4, dtype=torch.float64)

    def add(self, sums: Tensor) -> None:
        """Counts some groups: [4] loss, and over their tokens KL, clipped, number."""
        self._sums += sums

    def add_up(self, team: Team) -> None:
        """Adds the passes of the other processes."""
        self._sums = team.add(self._sums)

    def metrics(self) -> UpdateMetrics:
        """Returns what the passes came to."""
        loss, kl, held, tokens = self._sums.tolist()
        return UpdateMetrics(
            loss=loss,
            kl=kl / max(tokens, 1),
            clip_fraction=held / max(tokens, 1),
            grad_norm=sum(self.norms) / max(len(self.norms), 1),
            skipped=self.skipped,
            taken=len(self.norms) - self.skipped,
        )
