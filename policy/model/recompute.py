"""Gradient checkpointing: layers keep their input alone and run again for the gradient.

The option of transformers needs a model in training mode and drops the cache in which
a prompt's keys and values reach its answers. Here a layer runs through torch's own
checkpoint, and writes what it computes again over what is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from policy.model.sharing.attention import can_share


class RewritableCache(DynamicCache):
    """Keys and values of one pass; a pass that runs again writes the same again."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = [_RewritableLayer() for _ in range(layers)]
        self.layer_class_to_replicate = None


class _RewritableLayer(DynamicLayer):
    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Keeps [B, heads, T, width] in place of what is there."""
        self.lazy_initialization(key_states, value_states)
        self.keys, self.values = key_states, value_states
        return self.keys, self.values


def recompute_layers(model: PreTrainedModel) -> None:
    """Makes the layers of a model's decoder forget what only their gradient needs.

    Where no gradient is asked for nothing changes.

    Raises:
        ValueError: If the layers keep more in their cache than keys and values.
    """
    if not can_share(model):
        raise ValueError(
            f"gradient_checkpointing=true: layers of {type(model).__name__} cannot "
            "run again from their input alone; use gradient_checkpointing=false"
        )
    decoder: Any = model.get_decoder()
    for layer in decoder.layers:
        layer.forward = partial(_run, layer.forward)


def _run(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(forward, *args, use_reentrant=False, **kwargs)
