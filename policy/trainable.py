"""Which weights train: all, chosen parts, or low-rank adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from policy.records import LoraSpec, PartCount

PARTS = ("language", "tower")
"""The language model with embeddings and head; image encoder with its projection."""


def set_trainable(model: PreTrainedModel, parts: Sequence[str]) -> None:
    """Lets the named parts train and freezes the others.

    Raises:
        ValueError: If a part is unknown or none is named.
    """
    if not parts or not set(parts) <= set(PARTS):
        raise ValueError(f"trainable is {list(parts)}; choose from {', '.join(PARTS)}")
    language = _list_language(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(("language" if name in language else "tower") in parts)


def add_adapters(model: PreTrainedModel, spec: LoraSpec) -> PeftModel:
    """Puts adapters into the decoder's linear layers and freezes all else.

    Args:
        model: Changed in place.
        spec: Size and seed of the adapters.

    Returns:
        The wrapper that switches adapters off and merges them.
    """
    decoder = {id(module) for module in model.get_decoder().modules()}
    targets = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and id(module) in decoder
    ]
    config = LoraConfig(
        r=spec.rank, lora_alpha=spec.alpha, lora_dropout=0.0, target_modules=targets
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        adapted = get_peft_model(model, config)
    return adapted.eval()


def count_parameters(model: PreTrainedModel) -> list[PartCount]:
    """Returns how many parameters each part has and trains."""
    language = _list_language(model)
    total, trainable = dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0)
    for name, parameter in model.named_parameters():
        part = "language" if name in language else "tower"
        total[part] += parameter.numel()
        trainable[part] += parameter.numel() * parameter.requires_grad
    return [
        PartCount(part=part, total=total[part], trainable=trainable[part])
        for part in PARTS
    ]


def _list_language(model: PreTrainedModel) -> set[str]:
    """Returns the names of the parameters of decoder, embeddings and head."""
    modules: tuple[Any, ...] = (
        model.get_decoder(),
        model.get_input_embeddings(),
        model.get_output_embeddings(),
    )
    inside = {id(p) for module in modules for p in module.parameters()}
    return {name for name, p in model.named_parameters() if id(p) in inside}
