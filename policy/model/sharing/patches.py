"""Patches of an image are multiplied, not convolved.

Families of Qwen cut an image into patches and give each to a convolution as large as
the patch: one product, for which a convolution of three dimensions takes four times as
long on a CPU, and on some GPUs far longer.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn.functional import linear


def multiply_patches(model: nn.Module) -> None:
    """Lets convolutions of a model multiply what is as large as their kernel."""
    for module in model.modules():
        if isinstance(module, nn.Conv3d) and module.groups == 1:
            module.forward = partial(_embed, module)


def _embed(convolution: nn.Conv3d, input: Tensor) -> Tensor:
    """Returns [N, C, 1, 1, 1] of [N, channels, time, height, width] patches."""
    whole = input.shape[2:] == convolution.kernel_size
    if not whole or any(map(bool, convolution.padding)):
        return nn.Conv3d.forward(convolution, input)
    weight = convolution.weight.flatten(1)
    return linear(input.flatten(1), weight, convolution.bias)[..., None, None, None]
