"""Group relative policy optimisation: from rewards to one update of the weights.

Read top to bottom it is the algorithm: advantages, token loss, token weights, update.
What differs from the paper (ManipLVM-R1, a VLM-R1 fork), and why:

1. Advantages are [P, G, T], one a token: the reward of the whole answer, normalised
   in its group, plus `part_weight` times the geometric score of the part a token
   belongs to (box, each waypoint), normalised part by part (`policy/credit.py`). With
   one number an answer the noise of 40 integers drowns the signal of each.
2. The expert's answer joins the group of its scene with a fixed advantage
   (`expert_advantage`, paper: none). With sampled answers alone the default policy did
   not improve: the gradients of two batches of 128 answers have a cosine of 0.01.
   Figures in policy/README.md.
3. No KL term by default (paper: beta 0.04), so no second pass. `beta` brings it back.
4. Token-mean over the whole batch (`dapo`) instead of the mean over answers of token
   means (`grpo`), so that every token weighs the same.
5. Groups without any signal are dropped before the forward. Their gradient is zero and
   they still count in the denominators, so the update is exactly the same, only
   cheaper. With `beta` > 0 they carry a KL gradient and none is dropped.
6. The average of the weights over steps is what is evaluated and kept
   (`policy/average.py`): single steps are noisier than their average.
7. One rate for each of tower, language layers and embeddings, warmed up and falling
   to zero (`policy/optimizer.py`): a run is a hundred steps, not an epoch.

Numerically equal to `GRPOTrainer._compute_loss` of TRL 1.16, whose names the options
keep. Shapes: P prompts, G completions a prompt, T tokens, padded on the right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from policy.grpo_config import GRPOConfig
from policy.records import Completion, Prompt

STD_EPSILON = 1e-4  # added after the root, as in TRL
STD_TOLERANCE = 1e-6  # below it the answers of a group count as equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The answers of one step and what each token of them earned.

    Attributes:
        prompts: P prompts.
        completions: P groups of G completions.
        advantages: [P, G, T] float32, 0 at padding.
        mask: [P, G, T] float32, 1 at the tokens of a completion, 0 at padding.
        old_logprobs: [P, G, T] float32 at sampling, 0 at padding; NaN where an answer
            was given instead of sampled, which makes its ratio 1.
    """

    prompts: Sequence[Prompt]
    completions: Sequence[Sequence[Completion]]
    advantages: Tensor
    mask: Tensor
    old_logprobs: Tensor

    @property
    def signal(self) -> Tensor:
        """[P] bool, whether any answer of a group stands out from the others."""
        return self.advantages.abs().amax(dim=(1, 2)) > STD_TOLERANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMetrics:
    """What an update did; means over tokens of all its passes.

    Attributes:
        loss: The minimised loss, summed over the minibatches' means.
        kl: k3 estimate of the divergence to the reference (0 when beta is 0).
        clip_fraction: Share of tokens whose ratio the clip held back.
        grad_norm: Mean norm of the gradient before clipping.
        skipped: Optimiser steps left out because the gradient was not finite.
    """

    loss: float
    kl: float
    clip_fraction: float
    grad_norm: float
    skipped: int


class Policy(Protocol):
    """What the update needs of a policy; `policy.vlm.VLM` is one."""

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

    def reference(self) -> AbstractContextManager[object]:
        """Makes `score` use the weights from before training."""
        ...


def compute_advantages(rewards: Tensor, scale: str = "group") -> Tensor:
    """Returns how far each reward is above its group's mean.

    Args:
        rewards: [P, G].
        scale: One of `SCALES`; standard deviations are Bessel-corrected.

    Returns:
        [P, G] float32.
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    if scale == "none":
        return centred
    dims = {"group": 1, "batch": (0, 1)}[scale]
    std = rewards.std(dim=dims, keepdim=True)
    equal = rewards.std(dim=1, keepdim=True) < STD_TOLERANCE
    return torch.where(equal, 0.0, centred / (std + STD_EPSILON))


def token_losses(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    reference_logprobs: Tensor | None,
    config: GRPOConfig,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the loss, the KL divergence and whether the clip held, for each token.

    Args:
        logprobs: [..., T] of the policy, with gradient.
        old_logprobs: [..., T] of the policy that sampled.
        advantages: [..., T].
        reference_logprobs: [..., T] of the reference, None when beta is 0.
        config: Clipping and KL weight.

    Returns:
        Three tensors of the shape of `logprobs`: loss, k3 divergence, 0 or 1.
    """
    ratio = torch.exp(logprobs - old_logprobs)
    clipped = ratio.clamp(1 - config.epsilon_low, 1 + config.epsilon_high)
    loss = -torch.min(ratio * advantages, clipped * advantages)
    held = (clipped * advantages < ratio * advantages).float()
    if reference_logprobs is None:
        return loss, torch.zeros_like(loss), held
    gap = reference_logprobs - logprobs
    kl = torch.exp(gap) - gap - 1
    return loss + config.beta * kl, kl, held


def token_weights(
    mask: Tensor, loss_type: str, *, max_new_tokens: int, mean_tokens: float
) -> Tensor:
    """Returns each token's share in the loss of a minibatch.

    Fixed before any forward pass, so dropping groups and splitting a minibatch into
    several passes leave the gradient as it is.

    Args:
        mask: [B, T] 1 at tokens, 0 at padding, of all answers of the minibatch.
        loss_type: One of `LOSS_TYPES`.
        max_new_tokens: Longest answer possible, the constant of `dr_grpo`.
        mean_tokens: Tokens of the step's whole batch over its minibatches, for `dapo`.

    Returns:
        [B, T] float32.
    """
    answers = mask.shape[0]
    if loss_type == "grpo":
        return mask / mask.sum(dim=1, keepdim=True).clamp(min=1) / answers
    if loss_type == "bnpo":
        return mask / mask.sum().clamp(min=1)
    if loss_type == "dr_grpo":
        return mask / (answers * max_new_tokens)
    return mask / max(mean_tokens, 1.0)


def update(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    config: GRPOConfig,
    *,
    temperature: float,
    max_new_tokens: int,
    generator: torch.Generator,
) -> UpdateMetrics:
    """Improves the policy from one batch of answers.

    Args:
        policy: Changed in place.
        optimizer: Over the policy's trainable parameters.
        batch: Answers and advantages.
        config: The algorithm.
        temperature: Of the sampling, applied to the log-probabilities alike.
        max_new_tokens: Longest answer possible.
        generator: Draws the minibatches.
    """
    totals = _Totals()
    for rows in _minibatches(len(batch.prompts), config, generator):
        optimizer.zero_grad(set_to_none=True)
        weights = token_weights(
            batch.mask[rows].flatten(0, 1),
            config.loss_type,
            max_new_tokens=max_new_tokens,
            mean_tokens=float(batch.mask.sum()) / config.minibatches,
        ).unflatten(0, (len(rows), -1))
        learning = batch.signal[rows] | (config.beta > 0)
        for part in _chunks(learning.nonzero()[:, 0], config.prompts_per_forward):
            _backward(
                policy, batch, rows[part], weights[part], config, temperature, totals
            )
        _step(policy.model, optimizer, config.max_grad_norm, totals)
    return totals.metrics()


def _backward(
    policy: Policy,
    batch: Batch,
    rows: Tensor,
    weights: Tensor,
    config: GRPOConfig,
    temperature: float,
    totals: _Totals,
) -> None:
    """Adds the gradient of some groups' weighted token losses."""
    prompts = [batch.prompts[row] for row in rows.tolist()]
    completions = [batch.completions[row] for row in rows.tolist()]
    device = next(policy.model.parameters()).device
    reference = None
    with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
        logprobs = policy.score(prompts, completions, temperature=temperature).float()
        if config.beta > 0:
            with torch.no_grad(), policy.reference():
                reference = policy.score(prompts, completions, temperature=temperature)
                reference = reference.float()
    length = logprobs.shape[-1]
    old, advantages, mask, weights = (
        values[..., :length].to(device)
        for values in (
            batch.old_logprobs[rows],
            batch.advantages[rows],
            batch.mask[rows],
            weights,
        )
    )
    if config.num_iterations * config.minibatches == 1:
        old = logprobs.detach()  # same weights: the ratio is exactly 1
    old = torch.where(old.isnan(), logprobs.detach(), old)
    loss, kl, held = token_losses(logprobs, old, advantages, reference, config)
    loss = (loss * weights).sum()
    loss.backward()
    totals.add(loss, (kl * mask).sum(), (held * mask).sum(), mask.sum())


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    max_grad_norm: float,
    totals: _Totals,
) -> None:
    """Clips the gradient and steps, unless there is none or it is not finite."""
    trained = [p for p in model.parameters() if p.grad is not None]
    if not trained:
        return
    norm = float(nn.utils.clip_grad_norm_(trained, max_grad_norm))
    totals.norms.append(norm)
    if torch.isfinite(torch.tensor(norm)):
        optimizer.step()
    else:
        totals.skipped += 1
    optimizer.zero_grad(set_to_none=True)


def _minibatches(
    prompts: int, config: GRPOConfig, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yields the rows of each minibatch, in a new order each pass."""
    if config.minibatches > prompts:
        raise ValueError(
            f"minibatches is {config.minibatches}, more than the {prompts} prompts"
        )
    for _ in range(config.num_iterations):
        order = torch.randperm(prompts, generator=generator)
        yield from (rows.sort()[0] for rows in order.tensor_split(config.minibatches))


def _chunks(rows: Tensor, size: int) -> Sequence[Tensor]:
    return rows.split(size or max(len(rows), 1)) if len(rows) else ()


class _Totals:
    """Sums over the passes of one update."""

    def __init__(self) -> None:
        self.loss = self.kl = self.held = self.tokens = 0.0
        self.norms: list[float] = []
        self.skipped = 0

    def add(self, loss: Tensor, kl: Tensor, held: Tensor, tokens: Tensor) -> None:
        self.loss += float(loss.detach())
        self.kl += float(kl.detach())
        self.held += float(held)
        self.tokens += float(tokens)

    def metrics(self) -> UpdateMetrics:
        return UpdateMetrics(
            loss=self.loss,
            kl=self.kl / max(self.tokens, 1),
            clip_fraction=self.held / max(self.tokens, 1),
            grad_norm=sum(self.norms) / max(len(self.norms), 1),
            skipped=self.skipped,
        )
