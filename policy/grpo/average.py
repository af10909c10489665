"""The running average of the weights: what is evaluated, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn


class Trained(Protocol):
    """What has weights that train; `policy.model.vlm.VLM` is one."""

    @property
    def model(self) -> nn.Module:
        """The module that holds them."""
        ...


class WeightAverage:
    """Exponential average of the trainable weights, in float32.

    Starts from the weights before the first step, so early averages trust the start.

    Attributes:
        weights: Parameter name to its average.
        decay: Share of the old average kept at each step.
    """

    def __init__(self, policy: Trained, decay: float) -> None:
        self.decay = decay
        self.weights = {
            name: parameter.detach().float().clone()
            for name, parameter in list_trainable(policy)
        }

    @torch.no_grad()
    def update(self, policy: Trained) -> None:
        """Moves the average towards the present weights."""
        for name, parameter in list_trainable(policy):
            self.weights[name].lerp_(parameter.float(), 1 - self.decay)

    @contextmanager
    def applied(self, policy: Trained) -> Iterator[None]:
        """Puts the average into the policy, and the present weights back afterwards."""
        present = {name: p.detach().clone() for name, p in list_trainable(policy)}
        copy_weights(self.weights, policy)
        try:
            yield
        finally:
            copy_weights(present, policy)


def list_trainable(policy: Trained) -> list[tuple[str, nn.Parameter]]:
    """Returns names and parameters that train."""
    return [(n, p) for n, p in policy.model.named_parameters() if p.requires_grad]


@torch.no_grad()
def copy_weights(weights: dict[str, Tensor], policy: Trained) -> None:
    """Sets the parameters that train.

    Raises:
        ValueError: If the names differ from those of the parameters that train.
    """
    named = dict(list_trainable(policy))
    if odd := sorted(named.keys() ^ weights.keys()):
        raise ValueError(
            f"{len(odd)} weights train on one side only, first {odd[0]!r}: was the "
            "policy's `trainable` or `lora` changed?"
        )
    for name, parameter in named.items():
        parameter.copy_(weights[name])
