"""Log-probabilities of given answers: the shared path and, to check it, the plain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from transformers import PreTrainedModel

from policy.model.sharing.carry import carry_on, select
from policy.model.sharing.prefix import Branches, compute_positions, prefill
from policy.records import Completion


def compute_logprobs(logits: Tensor, bias: Tensor, temperature: float) -> Tensor:
    """Returns float32 log-probabilities [..., V] at a temperature.

    Args:
        logits: [..., V].
        bias: [V], -inf at tokens that may not be said.
        temperature: Above 0.
    """
    return _heat(logits, bias, temperature).log_softmax(-1)


def _heat(logits: Tensor, bias: Tensor, temperature: float) -> Tensor:
    """Logits at a temperature, by one operation: of large vocabularies each counts."""
    return torch.add(bias, logits.float(), alpha=1 / temperature)


def pad_completions(
    completions: Sequence[Sequence[Completion]], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Returns answers as tensors.

    Args:
        completions: P groups of G completions.
        device: The device that the tensors are on.

    Returns:
        [B, T] token ids, padded on the right with 0, and [B, T] bool, whether inside.

    Raises:
        ValueError: If groups differ in size.
    """
    if len({len(group) for group in completions}) != 1:
        sizes = [len(group) for group in completions]
        raise ValueError(f"groups have {sizes} completions; all need as many")
    rows = [torch.tensor(c.token_ids) for group in completions for c in group]
    token_ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    lengths = torch.tensor([len(row) for row in rows])
    inside = torch.arange(token_ids.shape[1]) < lengths[:, None]
    return token_ids.to(device), inside.to(device)


def run_shared(
    model: PreTrainedModel, inputs: dict[str, Tensor], token_ids: Tensor
) -> list[Tensor]:
    """Returns the logits of answers, each prompt run once.

    Padding is to the right of what is scored, so it needs no mask.

    Args:
        model: The model.
        inputs: The model's inputs for P prompts.
        token_ids: [B, T], B a multiple of P.

    Returns:
        [B, 1, V] logits of the first tokens, then, if T > 1, [B, T - 1, V] of the rest:
        apart, as joining them would copy the larger.
    """
    groups = len(token_ids) // len(inputs["input_ids"])
    branches = Branches(model, prefill(model, inputs), groups)
    first = branches.logits[:, None]
    if token_ids.shape[1] == 1:
        return [first]
    return [first, branches.extend(token_ids[:, :-1])]


def run_plain(
    model: PreTrainedModel, inputs: dict[str, Tensor], token_ids: Tensor
) -> list[Tensor]:
    """Returns `[B, T, V]` logits of answers, each run behind its own prompt.

    Args:
        model: The model.
        inputs: The model's inputs for B prompts.
        token_ids: [B, T].
    """
    length = token_ids.shape[1]
    positions, start = compute_positions(model, inputs)
    steps = start[:, None] + torch.arange(length, device=start.device)
    steps = steps.expand(*positions.shape[:-1], -1)
    outputs = model(
        **carry_on(model, inputs, token_ids),
        **select(
            model,
            position_ids=torch.cat([positions, steps], -1),
            logits_to_keep=length + 1,
        ),
        use_cache=False,
    )
    return [outputs.logits[:, -length - 1 : -1]]


def gather_logprobs(
    pieces: Sequence[Tensor], token_ids: Tensor, bias: Tensor, temperature: float
) -> Tensor:
    """Returns [B, T] log-probabilities of tokens, given their logits in pieces."""
    found, start = [], 0
    for logits in pieces:
        wanted = token_ids[:, start : start + logits.shape[1]]
        found.append(_ChosenLogprobs.apply(logits, wanted, bias, temperature))
        start += logits.shape[1]
    return torch.cat(found, 1)


class _ChosenLogprobs(torch.autograd.Function):
    """Log-probabilities of chosen tokens, one answer after the other.

    Over a whole vocabulary they would be the largest tensors of an update, several
    times over; answer by answer they stay small, and are computed anew for the gradient
    rather than kept. The gradient takes the place of the logits, which nothing needs
    any more: there is one backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, token_ids: Tensor, bias: Tensor, temperature: float
    ) -> Tensor:
        """Returns [B, T] float32 of [B, T, V] logits and [B, T] tokens."""
        ctx.save_for_backward(logits, token_ids, bias)
        ctx.temperature = temperature
        rows = zip(logits, token_ids[..., None], strict=True)
        return torch.stack(
            [
                compute_logprobs(row, bias, temperature).gather(-1, chosen)[:, 0]
                for row, chosen in rows
            ]
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        """Returns the gradient of the logits: slope * (chosen - probability)."""
        logits, token_ids, bias = ctx.saved_tensors
        slope = slope[..., None] / ctx.temperature
        for row, chosen, up in zip(logits, token_ids[..., None], slope, strict=True):
            probabilities = _heat(row, bias, ctx.temperature).softmax(-1)
            row.copy_(probabilities.mul_(-up).scatter_add_(-1, chosen, up))
        return logits, None, None, None
