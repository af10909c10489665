"""What updates the policy in supervised training, how fast, and towards which targets.

Matrices inside the layers are trained with Muon (orthogonalised momentum), everything
else with AdamW. All schedules are functions of the share of the budget used, 0..1.
"""

from __future__ import annotations

import torch
from torch import nn

from policy.grpo.muon import Muon
from policy.grpo.optimizer import is_layer_matrix
from policy.sft.settings import SFTConfig


def schedule_rate(share: float, config: SFTConfig) -> float:
    """Returns the share of the peak rates: up, level, down to 0."""
    rise = min(1.0, (share + 1e-4) / config.warmup)
    fall = min(1.0, (1 - share) / (1 - config.hold))
    return max(0.0, min(rise, fall))


def schedule_blur(share: float, config: SFTConfig) -> float:
    """Returns the width of coordinate targets, in 0..1000 units."""
    return config.blur * max(0.0, 1 - share / config.sharp)


def schedule_dense(share: float) -> float:
    """Returns the weight of the dense losses: the answers have the last word."""
    return min(1.0, 4 * (1 - share))


def build_optimizers(
    student: nn.Module, config: SFTConfig
) -> list[tuple[torch.optim.Optimizer, float]]:
    """Returns optimizers, each with its peak rate."""
    matrices, others = [], []
    for name, parameter in student.named_parameters():
        inside = is_layer_matrix(name, parameter)
        (matrices if inside else others).append(parameter)
    # No decay here: what keeps tied rows of embeddings apart would shrink.
    adam = torch.optim.AdamW(
        others, lr=config.rate, betas=(0.9, 0.95), weight_decay=0.0
    )
    muon = Muon(matrices, lr=config.rate_matrices, weight_decay=config.decay)
    return [(adam, config.rate), (muon, config.rate_matrices)]
