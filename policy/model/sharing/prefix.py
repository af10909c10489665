"""Forward passes that share a prompt among its G answers.

A prompt goes through the model once, and every answer goes on from the keys and values
it leaves. Gradients flow back through them, so image encoder and prompt cost the same
for any G, in sampling and in the update.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel

from policy.model.recompute import RewritableCache
from policy.model.sharing.attention import SharedPrompt, can_share
from policy.model.sharing.cache import RoomyCache, keep_states
from policy.model.sharing.carry import carry_on, list_masks, select
from policy.model.sharing.fused import FusedDecoder, can_fuse


@dataclass(frozen=True, slots=True)
class Prefix:
    """Prompts that went through the model.

    Attributes:
        logits: [P, V] for the first token of the answer.
        cache: Keys and values of the prompts.
        masks: Those of the prompts' tokens; `attention_mask` is [P, L], 1 at tokens, 0
            at the padding on the left.
        start: [P] position of the answer's first token.
        axes: Axes of a position: 3 for M-RoPE (time, row, column), else 1.
    """

    logits: Tensor
    cache: Cache
    masks: dict[str, Tensor]
    start: Tensor
    axes: int


def prefill(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Prefix:
    """Runs prompts through the model.

    Args:
        model: An image-text-to-text model.
        inputs: What `Processor.encode` returns, [P, L] padded on the left.
    """
    positions, start = compute_positions(model, inputs)
    outputs = model(
        **inputs,
        **select(model, position_ids=positions, logits_to_keep=1),
        past_key_values=_build_cache(model),
        use_cache=True,
    )
    return Prefix(
        outputs.logits[:, -1],
        outputs.past_key_values,
        list_masks(inputs),
        start,
        positions.shape[0] if positions.ndim == 3 else 1,
    )


def _build_cache(model: PreTrainedModel) -> Cache | None:
    """A cache for one pass; None leaves the choice to the model."""
    if not can_share(model):
        return None
    return RewritableCache(model.config.get_text_config().num_hidden_layers)


def compute_positions(
    model: PreTrainedModel, inputs: dict[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Returns the positions of prompts and of the token that follows each.

    Args:
        model: The model; M-RoPE models bring their own rule.
        inputs: What `Processor.encode` returns.

    Returns:
        [P, L] positions ([3, P, L] with M-RoPE), 0 at padding, and [P].
    """
    mask = inputs["attention_mask"]
    rule = getattr(model.base_model, "get_rope_index", None)
    if rule is None:
        return (mask.cumsum(-1) - 1).clamp(min=0), mask.sum(-1)
    known = inspect.signature(rule).parameters
    positions, _ = rule(**{k: v for k, v in inputs.items() if k in known})
    return positions, positions.amax(dim=(0, 2)) + 1


class Branches:
    """G answers to each of P prompts, in rows [B = P * G], growing token by token.

    Attributes:
        logits: [B, V] for the first token of each answer.
    """

    def __init__(
        self, model: PreTrainedModel, prefix: Prefix, groups: int, *, room: int = 0
    ) -> None:
        """Starts the answers.

        Args:
            model: The model that ran the prompts.
            prefix: The prompts; used up.
            groups: Answers a prompt, G.
            room: Tokens an answer may grow to, one for each call of `extend`; 0 allows
                one call of any number of tokens, with gradient.
        """
        self.logits = prefix.logits.repeat_interleave(groups, 0)
        self._run: Any = model
        self._takes_positions = bool(select(model, position_ids=None))
        self._start = prefix.start.repeat_interleave(groups, 0)
        self._axes = prefix.axes
        self._done = 0
        shares = can_share(model)
        self._past = (
            _share(prefix, room) if shares else _copy(model, prefix, groups, room)
        )
        if shares and room and can_fuse(model):
            length = prefix.masks["attention_mask"].shape[1] + room
            self._run = FusedDecoder(model, length)

    def extend(self, token_ids: Tensor) -> Tensor:
        """Returns the [B, T, V] logits that follow each of the next [B, T] tokens."""
        steps = torch.arange(token_ids.shape[1], device=token_ids.device) + self._done
        positions = self._start[:, None] + steps
        self._done += token_ids.shape[1]
        if self._axes > 1:
            positions = positions.expand(self._axes, -1, -1)
        located = {"position_ids": positions} if self._takes_positions else {}
        past = self._past.continue_with(token_ids)
        return self._run(input_ids=token_ids, **located, **past).logits

    def keep(self, prompts: Tensor, rows: Tensor) -> None:
        """Goes on with some rows: as many for each of the prompts kept.

        Args:
            prompts: [P'] places of the prompts to keep.
            rows: [P' * G'] places of the rows to keep, prompt by prompt.
        """
        self._start = self._start[rows]
        self._past.keep(prompts, rows)


class _SharedPast:
    """The prompts stay single; answers keep only their own keys and values."""

    def __init__(self, shared: SharedPrompt, own: Cache | None) -> None:
        self._shared = shared
        self._own = own

    def continue_with(self, token_ids: Tensor) -> dict[str, Any]:
        """Returns what the model needs beside tokens and positions."""
        use = {"past_key_values": self._own, "use_cache": self._own is not None}
        return {"shared": self._shared, **use}

    def keep(self, prompts: Tensor, rows: Tensor) -> None:
        """Goes on with some prompts and rows."""
        self._shared = self._shared.select(prompts)
        if self._own is not None:
            self._own.batch_select_indices(rows)


class _CopiedPast:
    """Every answer has a copy of its prompt; for models with other kinds of layers."""

    def __init__(
        self, model: PreTrainedModel, cache: Cache, masks: dict[str, Tensor]
    ) -> None:
        self._model = model
        self._cache = cache
        self._masks = masks

    def continue_with(self, token_ids: Tensor) -> dict[str, Any]:
        """Returns what the model needs beside tokens and positions."""
        self._masks = carry_on(self._model, self._masks, token_ids)
        own = {n: mask[:, -token_ids.shape[1] :] for n, mask in self._masks.items()}
        whole = {"attention_mask": self._masks["attention_mask"]}
        return {"past_key_values": self._cache, "use_cache": True, **own, **whole}

    def keep(self, prompts: Tensor, rows: Tensor) -> None:
        """Goes on with some rows."""
        self._masks = {name: mask[rows] for name, mask in self._masks.items()}
        _reorder(self._cache, rows)


def _share(prefix: Prefix, room: int) -> _SharedPast:
    layers: list[Any] = prefix.cache.layers
    mask = prefix.masks["attention_mask"]
    padded = bool((mask == 0).any())
    shared = SharedPrompt(
        [layer.keys.contiguous() for layer in layers],  # read for every token
        [layer.values.contiguous() for layer in layers],
        mask[:, None, None, :].bool() if padded else None,
    )
    return _SharedPast(shared, RoomyCache(len(layers), room) if room else None)


def _copy(
    model: PreTrainedModel, prefix: Prefix, groups: int, room: int
) -> _CopiedPast:
    rows = torch.arange(len(prefix.start), device=prefix.start.device)
    rows = rows.repeat_interleave(groups)
    _reorder(prefix.cache, rows)
    if not room:
        keep_states(prefix.cache)
    masks = {name: mask[rows] for name, mask in prefix.masks.items()}
    return _CopiedPast(model, prefix.cache, masks)


def _reorder(cache: Any, rows: Tensor) -> None:
    """Takes rows of a cache, of every kind of its layers."""
    cache.reorder_cache(rows)
