"""The prompts that one lane samples, from images to finished answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from policy.model.sampling import Sampled, sample_tokens
from policy.model.sharing.prefix import Branches, prefill
from policy.model.sharing.sight import Sight
from policy.model.vocabulary import Vocabulary
from policy.records import Prompt


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Share:
    """The prompts of a lane.

    Attributes:
        places: Their places among all prompts.
        prompts: P of them.
        seeds: One for each.
        inputs: What the processor made of them.
    """

    places: Sequence[int]
    prompts: Sequence[Prompt]
    seeds: Sequence[int]
    inputs: dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How answers are drawn.

    Attributes:
        n: Answers a prompt.
        temperature: 0 takes the likeliest token each time.
        max_new_tokens: Longest answer.
    """

    n: int
    temperature: float
    max_new_tokens: int


@torch.inference_mode()
def draw_share(
    model: PreTrainedModel,
    sight: Sight,
    vocabulary: Vocabulary,
    how: Drawing,
    share: Share,
) -> Iterator[tuple[int, Sampled]]:
    """Yields the place of a prompt and its answers, once the last of them ends."""
    inputs = sight.encode(share.prompts, share.inputs)
    prefix = prefill(model, inputs)
    sampled = sample_tokens(
        Branches(model, prefix, how.n, room=how.max_new_tokens),
        len(share.prompts),
        vocabulary,
        temperature=how.temperature,
        max_new_tokens=how.max_new_tokens,
        seeds=share.seeds,
    )
    for prompt, answers in sampled:
        yield share.places[prompt], answers
