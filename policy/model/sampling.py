"""The decode loop: one token a step for all rows, finished rows leave the batch.

Written out because `generate` copies prompt and cache for every answer and token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from policy.model.scoring import compute_logprobs
from policy.model.sharing.prefix import Branches
from policy.model.vocabulary import Vocabulary

COMPACT_BELOW = 0.8
"""Rows leave once this share or less is unfinished: copying their cache must pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Answers as tensors.

    Attributes:
        token_ids: [B, T] int64, padded on the right with 0.
        logprobs: [B, T] float32, padded with 0.
        lengths: [B] int64.
        finished: [B] bool, False where the token limit cut the answer off.
    """

    token_ids: Tensor
    logprobs: Tensor
    lengths: Tensor
    finished: Tensor

    def select(self, rows: slice) -> Sampled:
        """Returns some of the answers, whatever stands behind their ends left out.

        Raises:
            FloatingPointError: If log-probabilities are not finite.
        """
        lengths = self.lengths[rows]
        places = torch.arange(self.token_ids.shape[1], device=lengths.device)
        inside = places < lengths[:, None]
        logprobs = self.logprobs[rows].where(inside, 0.0)
        if not logprobs.isfinite().all():
            raise FloatingPointError(
                "the policy's log-probabilities are not finite: its weights are "
                "damaged, or too large for policy.dtype"
            )
        return Sampled(
            token_ids=self.token_ids[rows] * inside,
            logprobs=logprobs,
            lengths=lengths,
            finished=self.finished[rows],
        )


def sample_tokens(
    branches: Branches,
    prompts: int,
    vocabulary: Vocabulary,
    *,
    temperature: float,
    max_new_tokens: int,
    seeds: Sequence[int],
) -> Iterator[tuple[int, Sampled]]:
    """Continues every row until it ends or reaches the limit.

    Args:
        branches: B rows with room for the answers; used up.
        prompts: Number P of prompts; B is a multiple of it.
        vocabulary: What may be said.
        temperature: Above 0; 0 takes the likeliest token and reports log-probabilities
            at temperature 1.
        max_new_tokens: The limit, at least 1.
        seeds: One for each prompt.

    Yields:
        The number of a prompt and its answers, once the last of them ends.

    Raises:
        FloatingPointError: If log-probabilities are not finite.
    """
    logits = branches.logits
    count, device = len(logits), logits.device
    sampled = _reserve(count, max_new_tokens, device)
    rows = torch.arange(count, device=device).view(prompts, -1)
    answers, waiting = rows.shape[1], set(range(prompts))
    points = _draw_points(seeds, max_new_tokens, answers).to(device)
    for step in range(max_new_tokens):
        flat = rows.flatten()
        logp = compute_logprobs(logits, vocabulary.bias, temperature or 1.0)
        chosen = _choose(logp, points[step, flat], greedy=temperature == 0)
        sampled.token_ids[flat, step] = chosen
        sampled.logprobs[flat, step] = logp.gather(1, chosen[:, None])[:, 0]
        last = _find_ended(sampled.token_ids, flat, step, chosen, vocabulary)
        last = flat[last & ~sampled.finished[flat]]
        full = step + 1 == max_new_tokens
        if len(last) or full:  # most steps end no answer
            sampled.lengths[last] = step + 1
            sampled.finished[last] = True
            alive = ~sampled.finished[rows]
            done = rows[:, 0] if full else rows[~alive.any(1), 0]
            for prompt in waiting.intersection((done // answers).tolist()):
                waiting.remove(prompt)
                own = slice(prompt * answers, (prompt + 1) * answers)
                yield prompt, sampled.select(own)
            if not waiting:
                break
            kept, places = _choose_rows(alive)
            if places.numel() <= COMPACT_BELOW * rows.numel():
                branches.keep(kept, places.flatten())
                chosen, rows = chosen[places.flatten()], flat[places]
        logits = branches.extend(chosen[:, None])[:, -1]


def _reserve(count: int, length: int, device: torch.device) -> Sampled:
    """Returns room for answers, none of them ended."""
    return Sampled(
        token_ids=torch.zeros(count, length, dtype=torch.long, device=device),
        logprobs=torch.zeros(count, length, device=device),
        lengths=torch.full((count,), length, device=device),
        finished=torch.zeros(count, dtype=torch.bool, device=device),
    )


def _draw_points(seeds: Sequence[int], steps: int, answers: int) -> Tensor:
    """Returns [T, B] points in 0..1, those of a prompt from its seed alone.

    An answer depends neither on the other prompts nor on when other answers end.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return torch.cat(
        [torch.rand(steps, answers, generator=g) for g in generators], dim=1
    )


def _choose_rows(alive: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the smallest grid of rows that holds all those alive.

    Args:
        alive: [P, G] bool.

    Returns:
        [P'] prompts with any row alive and [P', G'] places of rows in the flat [P * G],
        G' the most alive of one prompt; finished rows fill up the others.
    """
    prompts = alive.any(1).nonzero()[:, 0]
    most = int(alive.sum(1).max())
    first = alive[prompts].int().argsort(dim=1, descending=True, stable=True)
    return prompts, first[:, :most] + prompts[:, None] * alive.shape[1]


def _choose(logp: Tensor, points: Tensor, *, greedy: bool) -> Tensor:
    """Returns [B] tokens: where [B] points in 0..1 fall among [B, V] probabilities."""
    if greedy:
        return logp.argmax(-1)
    heaps = logp.exp().cumsum(-1)
    total = heaps[:, -1:]
    # Strictly below the total, or rounding could pick a token of probability 0.
    target = (points[:, None] * total).minimum(total.nextafter(torch.zeros_like(total)))
    found = torch.searchsorted(heaps, target, right=True)[:, 0]
    return found.clamp(max=logp.shape[-1] - 1)  # NaN falls behind the last token


def _find_ended(
    token_ids: Tensor, rows: Tensor, step: int, chosen: Tensor, vocabulary: Vocabulary
) -> Tensor:
    """Returns [len(rows)] bool, whether the chosen token ends its answer."""
    ended = vocabulary.stops[chosen]
    for place in vocabulary.closing[chosen].nonzero()[:, 0].tolist():
        said = token_ids[rows[place], : step + 1].tolist()
        ended[place] |= vocabulary.closes(said)
    return ended
