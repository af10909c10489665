"""One token of each answer through a small decoder, by as few operations as possible.

An operation on few rows takes less time than Python takes to start it, and lanes wait
for each other's Python (`policy.runtime.lanes`). So products of one input are one
product here, and what is added to a product is added by it: answers of 48 tokens are
decoded in seven tenths of the stock model's time in two lanes, four fifths in one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, rms_norm, silu
from transformers import Cache, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput
from transformers.models.qwen3_vl.modeling_qwen3_vl import (
    Qwen3VLForConditionalGeneration,
)

from policy.model.adapters import are_merged, read_weight
from policy.model.sharing.attention import SharedPrompt, attend
from policy.runtime.lanes import is_small


def can_fuse(model: PreTrainedModel) -> bool:
    """Whether a model is small and a Qwen3-VL such as the default policy.

    In float32, as sums of fewer bits would differ, and with its adapters merged.
    """
    if not isinstance(model, Qwen3VLForConditionalGeneration):
        return False
    decoder: Any = model.get_decoder()
    return (
        is_small(model)
        and model.dtype == torch.float32
        and decoder.config.hidden_act == "silu"
        and not decoder.config.attention_bias
        and decoder.rotary_emb.rope_type == "default"  # others may know the length
        and are_merged(model)
    )


class FusedDecoder:
    """A decoder whose weights, of which some are copied, stay as they are meanwhile.

    Args:
        model: `can_fuse` says that it can be fused.
        length: Tokens of the longest prompt with its answer.
    """

    def __init__(self, model: PreTrainedModel, length: int) -> None:
        decoder: Any = model.get_decoder()
        head: Any = model.get_output_embeddings()
        self._embeddings = decoder.embed_tokens.weight
        self._turns = _tabulate_turns(decoder, length)
        self._layers = [_Layer(layer) for layer in decoder.layers]
        self._norm = decoder.norm
        self._head = read_weight(head).mT

    def __call__(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        shared: SharedPrompt,
        past_key_values: Cache,
        use_cache: bool = True,
    ) -> CausalLMOutput:
        """Returns the [B, 1, V] logits that follow a token of each answer.

        Args:
            input_ids: [B, 1].
            position_ids: [3, B, 1], the same on every axis.
            shared: The prompts.
            past_key_values: Of the answers; gets those of the tokens.
            use_cache: It is used in any case; the stock model has to be told.
        """
        states = embedding(input_ids.squeeze(1), self._embeddings)
        cos, sin = self._turns[position_ids[0, :, 0]].split(1, 1)
        for layer in self._layers:
            states = layer.attend(states, cos, sin, shared, past_key_values)
            states = layer.transform(states)
        logits = torch.mm(_normalise(states, self._norm), self._head)
        return CausalLMOutput(logits=logits[:, None])


def _tabulate_turns(decoder: Any, length: int) -> Tensor:
    """Returns [length, 2, width]: cosines, then sines, of rotary positions.

    To turn (x, y) is cos * (x, y) + sin * (-y, x), of halves x and y. The sign is part
    of the sines here, so that (y, x) is all that has to be laid out.
    """
    places = torch.arange(length, device=decoder.embed_tokens.weight.device)
    cos, sin = decoder.rotary_emb(decoder.norm.weight, places.expand(3, 1, -1))
    first, second = sin[0].chunk(2, -1)
    return torch.stack([cos[0], torch.cat([-first, second], -1)], 1)


class _Layer:
    """Attention and MLP, each added to the [B, C] states that it reads."""

    def __init__(self, layer: Any) -> None:
        self._attention = attention = layer.self_attn
        self._first_norm = layer.input_layernorm
        self._second_norm = layer.post_attention_layernorm
        self._project = _join(attention.q_proj, attention.k_proj, attention.v_proj)
        self._output = read_weight(attention.o_proj).mT
        config = attention.config
        self._heads = config.num_attention_heads, config.num_key_value_heads
        norms = zip((attention.q_norm, attention.k_norm), self._heads, strict=True)
        self._scales = torch.cat([norm.weight.expand(n, -1) for norm, n in norms])
        self._widen = _join(layer.mlp.gate_proj, layer.mlp.up_proj)
        self._narrow = read_weight(layer.mlp.down_proj).mT

    def attend(
        self, states: Tensor, cos: Tensor, sin: Tensor, shared: SharedPrompt, own: Cache
    ) -> Tensor:
        """Adds what the states attend to; cos and sin are [B, 1, width]."""
        attention, turned = self._attention, sum(self._heads)
        width, epsilon = attention.head_dim, attention.q_norm.variance_epsilon
        heads = torch.mm(_normalise(states, self._first_norm), self._project)
        heads = heads.view(len(states), -1, width)
        scaled = rms_norm(heads[:, :turned], (width,), eps=epsilon) * self._scales
        placed = torch.addcmul(scaled * cos, scaled.roll(width // 2, -1), sin)
        query, key = placed[:, :, None].split(self._heads, 1)
        value = heads[:, turned:, None]
        key, value = own.update(key, value, attention.layer_idx)
        mixed, _ = attend(
            attention, query, key, value, None, shared, scaling=attention.scaling
        )
        return torch.addmm(states, mixed.flatten(1), self._output)

    def transform(self, states: Tensor) -> Tensor:
        """Adds what the MLP makes of the states."""
        wide = torch.mm(_normalise(states, self._second_norm), self._widen)
        gate, value = wide.chunk(2, -1)
        return torch.addmm(states, silu(gate) * value, self._narrow)


def _normalise(states: Tensor, norm: Any) -> Tensor:
    return rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _join(*layers: nn.Module) -> Tensor:
    """Returns the [in, out] weight of a product that is several side by side."""
    return torch.cat([read_weight(layer) for layer in layers]).mT
