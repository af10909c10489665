"""What an image encoder that does not train makes of images, kept for the update.

Sampling has run it over the same images, and it would make the same of them again.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import PreTrainedModel

from policy.model.trainable import name_groups
from policy.records import Prompt

TAKES = "mm_encoder_outputs"
"""By this argument a model of transformers takes images that are encoded already."""
_POOLED, _LAYERS = "pooler_output", "deepstack_features"
_UNREAD = {"last_hidden_state", "hidden_states", "attentions"}
Seen = tuple[Tensor, ...]
"""Of one image: [N, C] for its N tokens, then [N, C] for each layer that adds more."""


class Sight:
    """Encodes images, each once, as long as the prompt that shows it lives.

    Models whose encoder trains, or that do not take encoded images, get the images.

    Args:
        model: An image-text-to-text model, its trainable weights chosen.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._keeps = _is_frozen(model) and _takes_encoded(model)
        self._model: Any = model
        self._seen: WeakKeyDictionary[Prompt, Seen] = WeakKeyDictionary()
        self._blank: dict[str, Any] = {}

    def encode(
        self, prompts: Sequence[Prompt], inputs: dict[str, Tensor]
    ) -> dict[str, Any]:
        """Returns inputs of the model with encoded images in place of images.

        Args:
            prompts: P prompts.
            inputs: What `Processor.encode` made of them.
        """
        if not self._keeps:
            return inputs
        if all(prompt in self._seen for prompt in prompts):
            encoded = self._join([self._seen[prompt] for prompt in prompts])
        else:
            encoded = self._look(inputs)
            self._blank = dict.fromkeys(vars(encoded))
            seen = _split(encoded, len(prompts))
            self._seen.update(zip(prompts, seen, strict=False))
        others = {k: v for k, v in inputs.items() if not k.startswith("pixel_")}
        return {**others, TAKES: {"image": encoded}}

    @torch.inference_mode(False)  # or the update could not use what sampling has seen
    @torch.no_grad()
    def _look(self, inputs: dict[str, Tensor]) -> Any:
        look = self._model.base_model.get_image_features
        known = inspect.signature(look).parameters
        images = {name: value for name, value in inputs.items() if name in known}
        with torch.autocast(self._model.device.type, enabled=False):  # as sampling does
            return look(**images, return_dict=True)

    def _join(self, seen: Sequence[Seen]) -> Any:
        """Returns the model's record of encoded images, as far as it is read."""
        pooled, *layers = zip(*seen, strict=True)
        return SimpleNamespace(**{**self._blank, _POOLED: pooled, _LAYERS: layers})


def _is_frozen(model: PreTrainedModel) -> bool:
    """Whether images are encoded by weights that do not train.

    Without an encoder of its own a decoder shows images by its embeddings.
    """
    groups = name_groups(model)
    encoder = [p for name, p in model.named_parameters() if groups[name] == "tower"]
    return bool(encoder) and not any(p.requires_grad for p in encoder)


def _takes_encoded(model: Any) -> bool:
    taken = inspect.signature(model.base_model.forward).parameters
    return TAKES in taken and hasattr(model.base_model, "get_image_features")


def _split(encoded: Any, prompts: int) -> list[Seen]:
    """Returns what was seen of each prompt; nothing where that is not all there is."""
    said = {name for name, value in vars(encoded).items() if value is not None}
    pooled, layers = getattr(encoded, _POOLED), getattr(encoded, _LAYERS, None) or ()
    whole = said <= {_POOLED, _LAYERS} | _UNREAD and isinstance(pooled, list | tuple)
    if not whole or len(pooled) != prompts:
        return []
    return list(zip(pooled, *layers, strict=True))
