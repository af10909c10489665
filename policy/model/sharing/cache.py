"""A cache whose memory is reserved at once, instead of copied for every token."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer, LinearAttentionCacheLayerMixin


class RoomyCache(DynamicCache):
    """Keys and values of tokens decoded one by one, for layers of full attention."""

    def __init__(self, layers: int, room: int) -> None:
        """Makes an empty cache.

        Args:
            layers: Number of layers.
            room: Most tokens it will hold.
        """
        super().__init__()
        self.layers = [_RoomyLayer(room) for _ in range(layers)]
        self.layer_class_to_replicate = None


class _RoomyLayer(DynamicLayer):
    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Reserves memory for rows like the first ones."""
        super().lazy_initialization(key_states, value_states)
        batch, heads, _, width = key_states.shape
        self._keys = key_states.new_empty(batch, heads, self._room, width)
        self._values = value_states.new_empty(
            batch, heads, self._room, value_states.shape[-1]
        )
        self._show(0)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Writes [B, heads, T, width] behind what is there; returns all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        self._keys[:, :, start:end] = key_states
        self._values[:, :, start:end] = value_states
        return self._show(end)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps some rows."""
        if self.is_initialized:
            self._keys, self._values = self._keys[indices], self._values[indices]
            self._show(self.get_seq_length())

    def _show(self, length: int) -> tuple[Tensor, Tensor]:
        self.keys = self._keys[:, :, :length]
        self.values = self._values[:, :, :length]
        return self.keys, self.values


def keep_states(cache: Cache) -> None:
    """Lets linear attention leave the state that it began with as it is.

    Whoever asks for a gradient needs it once more, and after the last pass nobody needs
    the state that follows.
    """
    for layer in cache.layers:
        if isinstance(layer, LinearAttentionCacheLayerMixin):
            layer.update_recurrent_state = _pass_on


def _pass_on(recurrent_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return recurrent_states
