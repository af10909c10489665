"""Gives each token its advantage: the whole answer's, and its own part's.

The reward of an answer says whether 40 numbers together were good. The geometric score
of a part says it of the 4 numbers of the box, or of the 2 of one waypoint, so it
reaches the tokens that wrote them with a tenth of the noise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from envs.answer import Codec, format_answer
from envs.records import ParseFailure, Reference
from policy.grpo.batch import Batch, Sampling
from policy.grpo.config import GRPOConfig
from policy.grpo.grpo import compute_advantages
from policy.records import Completion, Group, Prompt, Rollout
from rewards import part_scores

Span = tuple[int, int]


class Speller(Protocol):
    """What turns text into tokens and back; `policy.model.vlm.VLM` is one."""

    def spell(self, text: str) -> Completion:
        """Returns a text as a completion."""
        ...

    def codec(self, prompt: Prompt) -> Codec:
        """Returns the coordinates in which a prompt is answered."""
        ...

    def token_spans(self, token_ids: Sequence[int]) -> list[Span]:
        """Returns the first character of each token, and the one after its last."""
        ...


def build_batch(
    speller: Speller, groups: Sequence[Group], config: GRPOConfig, sampling: Sampling
) -> tuple[Batch, Tensor]:
    """Compares the answers of each group.

    Args:
        speller: Maps characters to tokens.
        groups: P groups of G rollouts.
        config: Scaling and weight of the parts.
        sampling: How the answers were drawn.

    Returns:
        What the update learns from, and the [P, G] advantages of whole answers.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    count = len(groups)
    mask = _pad([[1.0] * len(r.completion.token_ids) for r in rollouts], count)
    rewards = [[r.reward.total for r in group.rollouts] for group in groups]
    answer_advantages = compute_advantages(
        torch.tensor(rewards, dtype=torch.float32), config.scale_rewards
    )
    advantages = config.answer_weight * answer_advantages[..., None] * mask
    if config.part_weight:
        _add_parts(advantages, groups, speller, config.part_weight)
    batch = Batch(
        sampling=sampling,
        prompts=[group.prompt for group in groups],
        completions=[[r.completion for r in group.rollouts] for group in groups],
        advantages=advantages,
        mask=mask,
        old_logprobs=_pad([r.completion.logprobs.tolist() for r in rollouts], count),
    )
    if config.expert_advantage:
        batch = add_experts(speller, batch, groups, config.expert_advantage)
    return batch, answer_advantages


def _add_parts(
    advantages: Tensor, groups: Sequence[Group], speller: Speller, weight: float
) -> None:
    """Adds the advantages of parts to [P, G, T], where there is a reference."""
    has = torch.tensor([group.scene.reference is not None for group in groups])
    if not has.any():
        return
    rows = [
        row
        for group in groups
        if group.scene.reference is not None
        for row in compute_part_advantages(
            group.rollouts, group.scene.reference, speller
        )
    ]
    padded = _pad(rows, int(has.sum()))
    advantages[has, :, : padded.shape[-1]] += weight * padded


def add_experts(
    speller: Speller, batch: Batch, groups: Sequence[Group], advantage: float
) -> Batch:
    """Lets the expert's answer to each scene join the scene's group.

    It was executed and succeeded when the scene was made; to what a later turn starts
    from nobody has tried it, so it joins groups of the first turn alone. It was not
    sampled, so its ratio is 1 and its advantage the same for every token. An annotation
    without a thought takes that of the best answer. Where no expert joins, an answer
    without tokens takes its place; `grpo` and `dr_grpo` count it as one cut off.

    Args:
        speller: Spells the answers.
        batch: P groups of G answers.
        groups: Where they come from.
        advantage: The advantage of the expert's tokens.

    Returns:
        P groups of G + 1 answers.
    """
    experts = [_spell_expert(speller, group) for group in groups]
    counted = [float(_find_expert(group) is not None) for group in groups]
    rows = [[c] * len(e.token_ids) for c, e in zip(counted, experts, strict=True)]
    mask = _pad(rows, len(groups))
    unknown = torch.where(mask > 0, torch.nan, 0.0)
    return replace(
        batch,
        completions=[
            [*row, expert]
            for row, expert in zip(batch.completions, experts, strict=True)
        ],
        advantages=_join(batch.advantages, advantage * mask),
        mask=_join(batch.mask, mask),
        old_logprobs=_join(batch.old_logprobs, unknown),
    )


def _find_expert(group: Group) -> Reference | None:
    """What joins a group, if anything does."""
    return group.scene.reference if group.turn == 1 else None


def _spell_expert(speller: Speller, group: Group) -> Completion:
    """The expert's answer; where none joins, one of the group's."""
    reference, prompt = _find_expert(group), group.prompt
    if reference is None:
        return group.rollouts[0].completion
    expert = reference.to_answer(prompt.answer)
    if not expert.thought:
        expert = replace(expert, thought=_best_thought(group.rollouts))
    return speller.spell(format_answer(expert, speller.codec(prompt)))


def _best_thought(rollouts: Sequence[Rollout]) -> str:
    """What the best readable answer thought, or nothing.

    Annotations hold no thought. Given an empty one, a policy that says what is meant
    before it answers would unlearn to.
    """
    thoughts = [
        (rollout.reward.total, rollout.answer.thought)
        for rollout in rollouts
        if not isinstance(rollout.answer, ParseFailure)
    ]
    return max(thoughts, key=lambda pair: pair[0], default=(0.0, ""))[1]


def compute_part_advantages(
    rollouts: Sequence[Rollout], reference: Reference, speller: Speller
) -> list[list[float]]:
    """Returns each token's advantage from the part of the answer it belongs to.

    Scores are normalised over the answers of the group that have the part. Tokens
    outside box and waypoints, and answers that do not parse, get 0.

    Args:
        rollouts: G answers to one scene.
        reference: What the parts are compared with.
        speller: Maps characters to tokens.

    Returns:
        G lists of advantages, one a token.
    """
    scores: dict[tuple[str, int], list[float]] = defaultdict(list)
    places: dict[tuple[str, int], list[tuple[int, Span]]] = defaultdict(list)
    for g, rollout in enumerate(rollouts):
        if isinstance(rollout.answer, ParseFailure):
            continue
        judged = part_scores(rollout.answer, reference)
        for part, value in zip(rollout.answer.parts, judged, strict=True):
            key = (part.name, part.index)
            scores[key].append(value)
            places[key].append((g, (part.start, part.end)))
    spans = [speller.token_spans(r.completion.token_ids) for r in rollouts]
    advantages = [[0.0] * len(r.completion.token_ids) for r in rollouts]
    for key, values in scores.items():
        if len(values) < 2:
            continue
        compared = compute_advantages(torch.tensor([values]))[0].tolist()
        for (g, part), advantage in zip(places[key], compared, strict=True):
            for token in _find_tokens(spans[g], part):
                advantages[g][token] = advantage
    return advantages


def _find_tokens(spans: Sequence[Span], part: Span) -> list[int]:
    """Tokens that share a character with a part."""
    start, end = part
    return [i for i, (first, last) in enumerate(spans) if first < end and last > start]


def _join(sampled: Tensor, given: Tensor) -> Tensor:
    """[P, G + 1, T] of [P, G, T'] and [P, 1, T"], padded on the right with 0."""
    length = max(sampled.shape[-1], given.shape[-1])
    padded = [F.pad(part, (0, length - part.shape[-1])) for part in (sampled, given)]
    return torch.cat(padded, dim=1)


def _pad(rows: Sequence[Sequence[float]], groups: int) -> Tensor:
    """[P, G, T] float32 of P * G rows, padded on the right with 0."""
    values = [torch.as_tensor(row, dtype=torch.float32) for row in rows]
    return pad_sequence(values, batch_first=True).unflatten(0, (groups, -1))
