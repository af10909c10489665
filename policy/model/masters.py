"""Float32 masters of weights that the model holds in fewer bits.

A bfloat16 keeps 8 bits: a step of 1e-6 on a weight of 0.02 would be rounded away, and
so would most of a sum of gradients. The model computes with the rounded weights, the
gradients add up in float32, and the optimizer steps a float32 copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

NAME = "master"  # of the copies in the optimizer's state, so that checkpoints keep them


def keep_masters(optimizer: torch.optim.Optimizer) -> None:
    """Lets an optimizer step float32 copies of its weights of fewer bits."""
    groups = optimizer.param_groups
    low = [p for group in groups for p in group["params"] if needs_master(p)]
    for parameter in low:
        parameter.grad_dtype = torch.float32
    if low:
        masters = _Masters(low)
        optimizer.register_step_pre_hook(masters.put)
        optimizer.register_step_post_hook(masters.take)


def needs_master(parameter: Tensor) -> bool:
    """Whether a weight has fewer bits than float32."""
    return torch.finfo(parameter.dtype).bits < 32


class _Masters:
    """Puts the copies in place of the weights while the optimizer steps."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._low: dict[nn.Parameter, Tensor] = {}

    @torch.no_grad()
    def put(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """The weights that have a gradient become their masters."""
        for parameter in self._parameters:
            if parameter.grad is not None:
                self._low[parameter] = low = parameter.data
                # Taken out: Adam takes a state with anything in it for its own.
                master = optimizer.state[parameter].pop(NAME, None)
                parameter.data = low.float() if master is None else master

    @torch.no_grad()
    def take(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """They become the masters' rounded values."""
        for parameter, low in self._low.items():
            optimizer.state[parameter][NAME] = parameter.data
            parameter.data = low.copy_(parameter.data)
        self._low.clear()
