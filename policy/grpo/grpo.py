"""Group relative policy optimisation: from rewards to one update of the weights.

Read top to bottom it is the algorithm: advantages, ratio, token loss, token weights,
update. What differs from the paper (ManipLVM-R1, a VLM-R1 fork), and why:

1. Advantages are divided by the std of the whole batch (`scale_rewards: batch`, paper:
   of the group). By groups, geometry would count as much where all answers succeed as
   success does where they differ.
2. To the advantage of a token that of its part of the answer is added, its box or
   waypoint (`part_weight`, `policy/grpo/credit.py`), where the reward compares with an
   expert: a success says of 40 numbers together that they were good. An option for
   whole models lets the expert's answer join the group of its scene with a fixed
   advantage (`expert_advantage`, `algo=whole`). Figures in policy/FINDINGS.md.
3. No KL term by default (paper: beta 0.04), so no second pass. `beta` brings it back,
   times the ratio (`use_bias_correction_kl`, paper: not): without it k3 has the
   gradient of the divergence the other way round, of the reference from the policy.
4. Token-mean over the whole batch (`dapo`) instead of the mean over answers of token
   means (`grpo`), so that every token weighs the same.
5. Groups without any signal are dropped before the forward. Their gradient is zero and
   they still count in the denominators, so the update is exactly the same, only
   cheaper. With `beta` > 0 they carry a KL gradient and none is dropped. Rewards within
   1e-6 are equal: by STD_EPSILON rounding would grow a hundredfold into a signal.
6. The average of the weights over steps is what is evaluated and kept
   (`policy/grpo/average.py`): single steps are noisier than their average.
7. One rate for each of tower, language layers and embeddings, warmed up and falling
   to zero (`policy/grpo/optimizer.py`): a run is a hundred steps, not an epoch.
8. Old log-probabilities are those of sampling, not of one more pass: both run the same
   weights at the same temperature, and agree to rounding (under `bf16` to that of
   bfloat16, so the first ratios then are only nearly 1).
9. Tokens that are no text have probability 0, in sampling and scoring alike
   (`policy/model/vocabulary.py`): a sampled placeholder would ask for an image.

As in the paper: one ratio a token (the ratio of a whole answer is
`importance_sampling_level: sequence`), clipped at 0.2 either way. The paper updates
once after each sampling, so its clip is idle; here two passes go over the answers
(`num_iterations`), since an answer costs more than its update.

With the project's own options off it equals `GRPOTrainer` of TRL 1.16, whose names the
options keep: advantages, loss, gradient and weights
(tests/policy/grpo/test_trl_parity.py). Shapes: P prompts, G completions a prompt,
T tokens, padded on the right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from policy.grpo.batch import TOLERANCE, Batch, Policy, Totals, UpdateMetrics
from policy.grpo.config import GRPOConfig
from policy.runtime.distributed import ALONE, Team
from policy.runtime.lanes import back_propagate

STD_EPSILON = 1e-4  # added after the root, as in TRL


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
    equal = rewards.std(dim=1, keepdim=True) < TOLERANCE
    return torch.where(equal, 0.0, centred / (std + STD_EPSILON))


def compute_ratios(
    logprobs: Tensor, old_logprobs: Tensor, mask: Tensor, level: str = "token"
) -> Tensor:
    """Returns how many times likelier than at sampling each token is.

    Args:
        logprobs: [..., T] of the policy.
        old_logprobs: [..., T] of the policy that sampled.
        mask: [..., T] 1 at tokens, 0 at padding.
        level: One of `LEVELS`. At that of the `sequence` all tokens of an answer have
            the geometric mean of their ratios.

    Returns:
        [..., T].
    """
    gap = logprobs - old_logprobs
    if level == "sequence":
        count = mask.sum(-1, keepdim=True).clamp(min=1)
        gap = ((gap * mask).sum(-1, keepdim=True) / count).expand_as(gap)
    return gap.exp()


def token_losses(
    logprobs: Tensor,
    ratios: Tensor,
    advantages: Tensor,
    reference_logprobs: Tensor | None,
    config: GRPOConfig,
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the loss, the KL divergence and whether the clip held, for each token.

    Args:
        logprobs: [..., T] of the policy, with gradient.
        ratios: [..., T] of `compute_ratios`, with gradient.
        advantages: [..., T].
        reference_logprobs: [..., T] of the reference, None when beta is 0.
        config: Clipping and the KL term.

    Returns:
        Three tensors of the shape of `logprobs`: loss, k3 divergence, 0 or 1.
    """
    clipped = ratios.clamp(1 - config.epsilon_low, 1 + config.epsilon_high)
    loss = -torch.min(ratios * advantages, clipped * advantages)
    held = (clipped * advantages < ratios * advantages).float()
    if reference_logprobs is None:
        return loss, torch.zeros_like(loss), held
    gap = reference_logprobs - logprobs
    kl = torch.exp(gap) - gap - 1
    if config.use_bias_correction_kl:
        kl = kl * ratios
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
    generator: torch.Generator,
    team: Team = ALONE,
    lanes: int = 1,
) -> UpdateMetrics:
    """Improves the policy from one batch of answers.

    Args:
        policy: Changed in place.
        optimizer: Over the policy's trainable parameters.
        batch: Answers and advantages.
        config: The algorithm.
        generator: Draws the minibatches.
        team: The processes that share the groups; all have the whole batch.
        lanes: Parts of a pass that run side by side, see `policy.runtime.lanes`; with a
            KL term one, as the reference takes the policy's place.
    """
    totals, lanes = Totals(), 1 if config.beta else lanes
    # Scenes that were put aside leave fewer prompts than were asked for.
    parts = min(config.minibatches, len(batch.prompts))
    mean_tokens = float(batch.mask.sum()) / parts
    for rows in _draw_minibatches(len(batch.prompts), parts, config, generator):
        part = batch.select(rows)
        weights = token_weights(
            part.mask.flatten(0, 1),
            config.loss_type,
            max_new_tokens=batch.sampling.max_new_tokens,
            mean_tokens=mean_tokens,
        ).view_as(part.mask)
        optimizer.zero_grad(set_to_none=True)
        learning = (part.signal | (config.beta > 0)).nonzero()[:, 0]
        compute = partial(_compute_loss, policy, part, weights, config)
        loss = 0.0
        for few in _passes(policy, part, team.share(learning), config):
            for sums in back_propagate(compute, few, lanes, policy.model):
                totals.add(sums)
                loss += float(sums[0])
        if len(learning):
            loss = team.add_up(policy.model, loss)
        _step(policy.model, optimizer, config.max_grad_norm, loss, totals)
    totals.add_up(team)
    return totals.metrics()


def _compute_loss(
    policy: Policy,
    batch: Batch,
    weights: Tensor,
    config: GRPOConfig,
    rows: Tensor,
) -> tuple[Tensor, Tensor]:
    """Returns the weighted sum of some groups' token losses, and what `Totals` adds."""
    batch = batch.select(rows)
    logprobs, reference = _score(policy, batch, config)
    old, advantages, mask, weights = (
        values[..., : logprobs.shape[-1]].to(logprobs.device)
        for values in (batch.old_logprobs, batch.advantages, batch.mask, weights[rows])
    )
    if config.num_iterations * config.minibatches == 1:
        old = logprobs.detach()  # same weights: the ratio is exactly 1
    old = torch.where(old.isnan(), logprobs.detach(), old)
    ratios = compute_ratios(logprobs, old, mask, config.importance_sampling_level)
    losses, kl, held = token_losses(logprobs, ratios, advantages, reference, config)
    loss = (losses * weights).sum()
    counted = (loss, (kl * mask).sum(), (held * mask).sum(), mask.sum())
    return loss, torch.stack(counted).detach().cpu()


def _score(
    policy: Policy, batch: Batch, config: GRPOConfig
) -> tuple[Tensor, Tensor | None]:
    """Returns [P, G, T] float32 of the policy and, with a KL term, the reference."""
    device = next(policy.model.parameters()).device
    asked, temperature = (batch.prompts, batch.completions), batch.sampling.temperature
    # Threads share the cache of cast weights: which lane finds one there, and so in
    # which numbers its gradient adds up, would depend on their timing.
    low = torch.autocast(device.type, torch.bfloat16, config.bf16, cache_enabled=False)
    with low:
        logprobs = policy.score(*asked, temperature=temperature).float()
        if not config.beta:
            return logprobs, None
        with torch.no_grad(), policy.reference():
            return logprobs, policy.score(*asked, temperature=temperature).float()


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    max_grad_norm: float,
    loss: float,
    totals: Totals,
) -> None:
    """Clips the gradient and steps, unless there is none or not all is finite."""
    trained = [p for p in model.parameters() if p.grad is not None]
    if not trained:
        return
    norm = float(nn.utils.clip_grad_norm_(trained, max_grad_norm))
    totals.norms.append(norm)
    if math.isfinite(norm) and math.isfinite(loss):
        optimizer.step()
    else:
        totals.skipped += 1
    optimizer.zero_grad(set_to_none=True)


def _draw_minibatches(
    prompts: int, parts: int, config: GRPOConfig, generator: torch.Generator
) -> Iterator[Tensor]:
    """Yields the rows of each minibatch, in a new order each pass."""
    for _ in range(config.num_iterations):
        order = torch.randperm(prompts, generator=generator)
        yield from (rows.sort()[0] for rows in order.tensor_split(parts))


def _passes(
    policy: Policy, batch: Batch, rows: Tensor, config: GRPOConfig
) -> list[Tensor]:
    """Returns the rows of each forward pass; those of a size go together."""
    if not len(rows) or not config.tokens_per_forward:
        return [rows] if len(rows) else []
    asked = torch.tensor([policy.count_tokens(batch.prompts[r]) for r in rows.tolist()])
    longest = batch.mask[rows].sum(dim=2).amax(dim=1)
    answers, passes, first = batch.mask.shape[1], [], 0
    order = (asked + answers * longest).argsort(stable=True)
    for place in range(1, len(order)):
        together = order[first : place + 1]
        # Each is padded to the longest prompt and to the longest answer among them.
        width = float(asked[together].max() + answers * longest[together].max())
        if len(together) * width > config.tokens_per_forward:
            passes.append(rows[order[first:place]])
            first = place
    return [*passes, rows[order[first:]]]
