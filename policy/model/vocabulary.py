"""What a policy may say, and what ends its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from policy.model.processing import Processor


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What may be said and what ends an answer.

    Attributes:
        bias: [V] float32, added to logits: 0, or -inf for tokens that are no text.
        stops: [V] bool, end-of-text tokens.
        closing: [V] bool, tokens that may complete the answer's closing tag.
        closes: Whether a row of token ids does end with the closing tag.
    """

    bias: Tensor
    stops: Tensor
    closing: Tensor
    closes: Callable[[Sequence[int]], bool]


def read_vocabulary(model: PreTrainedModel, processor: Processor) -> Vocabulary:
    """Returns what a model may say.

    Control tokens, vision placeholders among them, are no text: sampled, they would ask
    for images that are not there. Nor are rows of the output without a token.
    """
    head: Any = model.get_output_embeddings()
    size, known = head.weight.shape[0], len(processor.tokenizer)
    stops = _as_set(getattr(model.generation_config, "eos_token_id", None))
    stops |= _as_set(processor.tokenizer.eos_token_id)
    blocked = processor.list_control_ids() - stops | set(range(known, size))
    bias = torch.zeros(size)
    bias[[token for token in blocked if token < size]] = -torch.inf
    return Vocabulary(
        bias=bias.to(model.device),
        stops=_mark(sorted(stops), size).to(model.device),
        closing=_mark(processor.list_closing_ids(), size).to(model.device),
        closes=processor.closes_answer,
    )


def _mark(ids: Sequence[int], size: int) -> Tensor:
    marked = torch.zeros(size, dtype=torch.bool)
    marked[[token for token in ids if token < size]] = True
    return marked


def _as_set(ids: Any) -> set[int]:
    """Returns the ids of a configuration, which may be none, one or a list."""
    return set(ids) if isinstance(ids, list) else {ids} - {None}
