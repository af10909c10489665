"""Muon, orthogonalised momentum, in numbers that the device multiplies quickly.

torch's own always multiplies in bfloat16, which takes 30 to 40 times as long as float32
on processors that emulate such products: 5.2 s a step of the default policy, not 0.15.
Where the device has them, the steps are torch's to the bit.

The method is Jordan's (2024, https://kellerjordan.github.io/posts/muon), its rates are
in AdamW's scale as in Liu et al., arXiv 2502.16982.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from policy.runtime.products import find_products

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic that drives values to 1
ITERATIONS = 5
RMS = 0.2  # of the elements of an AdamW step
EPS = 1e-7


class Muon(torch.optim.Optimizer):
    """Steps matrices along their orthogonalised momentum, after Nesterov."""

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        """Takes matrices alone.

        Args:
            params: Parameters, or groups of them, of shape (m, n).
            lr: The rate, in AdamW's scale.
            weight_decay: The share that a weight loses at a rate of 1.

        Raises:
            ValueError: If a parameter is no matrix.
        """
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        for parameter in (p for group in self.param_groups for p in group["params"]):
            if parameter.ndim != 2:
                shape = tuple(parameter.shape)
                raise ValueError(f"Muon steps matrices; a parameter has shape {shape}")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Steps every matrix that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, group["lr"], group["weight_decay"])

    def _step(self, parameter: nn.Parameter, rate: float, decay: float) -> None:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(momentum, MOMENTUM)
        there = find_products(parameter.device)
        update = orthogonalize(ahead, torch.bfloat16 if there else torch.float32)
        parameter.mul_(1 - rate * decay)
        parameter.add_(update, alpha=-rate * RMS * max(parameter.shape) ** 0.5)


def orthogonalize(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """Returns nearly the nearest matrix whose singular values are all 1.

    Five Newton-Schulz iterations bring them to between 0.5 and 1.5.

    Args:
        matrix: Shape (m, n).
        dtype: What to multiply in; that of the result, too.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    result = matrix.to(dtype, copy=True)
    result = result.T if tall else result
    result.div_(result.norm().clamp(min=EPS))
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = result @ result.T
        result = torch.addmm(
            result, torch.addmm(gram, gram, gram, beta=b, alpha=c), result, beta=a
        )
    return result.T if tall else result
