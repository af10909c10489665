"""Attention of many answers to the one prompt they share, without copies of it.

Registered with transformers beside its own kinds of attention, so the models stay
stock. On a CPU, 8 answers a prompt: 0.4 instead of 2.2 ms a layer and token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "shared_prompt"
_BEYOND = ("cross_attention_layers", "attn_logit_softcapping")
"""Of a decoder's configuration: attention to images apart, scores that are capped."""


@dataclass(frozen=True, slots=True)
class SharedPrompt:
    """Keys and values of P prompts.

    Attributes:
        keys: [P, heads, L, width] of each layer.
        values: [P, heads, L, width] of each layer.
        mask: [P, 1, 1, L] bool, False at padding; None if there is none.
    """

    keys: list[Tensor]
    values: list[Tensor]
    mask: Tensor | None

    def select(self, prompts: Tensor) -> SharedPrompt:
        """Returns some of the prompts."""
        return SharedPrompt(
            [keys[prompts] for keys in self.keys],
            [values[prompts] for values in self.values],
            None if self.mask is None else self.mask[prompts],
        )


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    shared: SharedPrompt | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attends from answers to their prompts and, causally, to themselves.

    Without `shared` it is the stock `sdpa` attention. With it, rows are P prompts times
    G answers in that order, and `attention_mask` must mask nothing.

    Args:
        module: The attention layer.
        query: [B, H, T, width], B = P * G; H a multiple of the keys' heads.
        key: [B, heads, S, width] of the answers, the last T those of the queries.
        value: [B, heads, S, width].
        attention_mask: For the stock attention.
        shared: What the prompts left behind.
        **kwargs: Arguments of the stock attention, `scaling` among them.

    Returns:
        [B, T, H, width] and no weights.
    """
    if shared is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, **kwargs
        )
    layer: Any = module.layer_idx
    prompt_keys, prompt_values = shared.keys[layer], shared.values[layer]
    (count, heads, length, width), rows = prompt_keys.shape, query.shape[0]
    steps, own = query.shape[2], key.shape[2]
    # Query heads that share keys are laid out as further queries.
    groups, repeats = rows // count, query.shape[1] // heads
    by_row = (rows, heads, repeats * steps)
    by_prompt = (count, heads, groups * repeats * steps)
    split = (count, heads, groups, repeats * steps)

    scaled = query.reshape(*by_row, width) * kwargs["scaling"]
    to_prompt = _gather_groups(scaled, count).view(*by_prompt, width) @ prompt_keys.mT
    if shared.mask is not None:
        to_prompt.masked_fill_(~shared.mask, -torch.inf)
    to_own = scaled @ key.mT
    if steps > 1:
        later = torch.ones(steps, own, dtype=torch.bool, device=key.device)
        later = later.triu(own - steps + 1).repeat(repeats, 1)
        to_own.masked_fill_(later, -torch.inf)
    scores = torch.cat(
        [to_prompt.view(*split, length), _gather_groups(to_own, count)], -1
    )
    weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
    for_prompt, for_own = weights.split([length, own], -1)
    from_prompt = for_prompt.reshape(*by_prompt, length) @ prompt_values
    from_own = _spread_groups(for_own) @ value
    mixed = _spread_groups(from_prompt.view(*split, -1)) + from_own
    return mixed.reshape(rows, query.shape[1], steps, -1).transpose(1, 2), None


def can_share(model: PreTrainedModel) -> bool:
    """Whether every layer of a model's decoder is plain attention of the stock kind."""
    decoder = model.get_decoder()
    layers = DynamicCache(config=decoder.config).layers
    plain = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
    more = any(getattr(decoder.config, name, None) for name in _BEYOND)
    return plain and not more and decoder._supports_attention_backend


def enable_sharing(model: PreTrainedModel) -> None:
    """Lets a model's decoder use this attention; its image encoder keeps its own."""
    model.get_decoder().config._attn_implementation = NAME


def _gather_groups(values: Tensor, count: int) -> Tensor:
    """Returns [P, heads, G, ...] of [P * G, heads, ...]."""
    return values.unflatten(0, (count, -1)).transpose(1, 2).contiguous()


def _spread_groups(values: Tensor) -> Tensor:
    """Returns [P * G, heads, ...] of [P, heads, G, ...]."""
    return values.transpose(1, 2).flatten(0, 1)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
