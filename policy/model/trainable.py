"""Which weights train, and how many those are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from policy.model.adapters import list_adapters
from policy.model.masters import needs_master
from policy.records import GroupCount

PARTS = ("language", "tower")
"""The language model with embeddings and head; image encoder with its projection."""
GROUPS = ("tower", "language", "embeddings")
"""Parameters that have a learning rate together; the last two make up "language"."""


def set_trainable(model: PreTrainedModel, parts: Sequence[str]) -> None:
    """Lets the named parts train and freezes the others.

    Raises:
        ValueError: If it is no list, a part is unknown or none is named.
    """
    if isinstance(parts, str) or not parts or not set(parts) <= set(PARTS):
        said = repr(parts) if isinstance(parts, str) else list(parts)
        raise ValueError(f"trainable is {said}; a list of {', '.join(PARTS)}")
    groups = name_groups(model)
    for name, parameter in model.named_parameters():
        part = "tower" if groups[name] == "tower" else "language"
        parameter.requires_grad_(part in parts)


def name_groups(model: PreTrainedModel) -> dict[str, str]:
    """Returns the one of `GROUPS` of each parameter; adapters have their layer's."""
    ends: tuple[Any, ...] = (
        model.get_input_embeddings(),
        model.get_output_embeddings(),
    )
    embeddings = {id(p) for module in ends if module for p in module.parameters()}
    language = {id(parameter) for parameter in model.get_decoder().parameters()}

    def find(parameter: nn.Parameter) -> str:
        if id(parameter) in embeddings:
            return "embeddings"
        return "language" if id(parameter) in language else "tower"

    return {name: find(parameter) for name, parameter in model.named_parameters()}


def count_parameters(model: PreTrainedModel) -> list[GroupCount]:
    """Returns how many parameters each group has and trains; adapters are their own."""
    adapters = list_adapters(model)
    groups = {
        name: "adapters" if name in adapters else group
        for name, group in name_groups(model).items()
    }
    named = dict(model.named_parameters())
    counts = []
    for group in (*GROUPS, "adapters"):
        members = [named[name] for name, own in groups.items() if own == group]
        if members:
            counts.append(_count(group, members))
    return counts


def _count(group: str, members: Sequence[nn.Parameter]) -> GroupCount:
    trained = [p for p in members if p.requires_grad]
    return GroupCount(
        group=group,
        total=sum(p.numel() for p in members),
        trainable=sum(p.numel() for p in trained),
        dtype=", ".join(sorted({str(p.dtype).removeprefix("torch.") for p in members})),
        masters=any(needs_master(p) for p in trained),
    )
