"""What updates the policy in supervised training, how fast, and towards which targets.

Matrices inside the layers are trained with Muon (orthogonalised momentum), everything
else with AdamW. All schedules are functions of the share of the budget used, 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from policy.grpo.optimizer import is_layer_matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class SFTConfig:
    """How to train.

    Attributes:
        minutes: Budget of training time; the schedule follows the clock. Unused when
            `steps` is set.
        steps: Budget in steps, or 0: the schedule then follows the step count and a
            run is reproducible to the bit.
        batch: Examples a step.
        rate: Peak learning rate of AdamW.
        rate_matrices: Peak learning rate of Muon, in AdamW's scale.
        warmup: Share of the budget over which rates rise.
        hold: Share of the budget after which rates start to fall, linearly to 0.
        decay: Weight decay of the matrices inside layers.
        clip: Largest gradient norm.
        blur: Standard deviation of coordinate targets at the start, in 0..1000 units.
        sharp: Share of the budget after which coordinate targets are hard.
        tower_weight: Weight of the part loss on the tower's tokens.
        cue_weight: Weight of the target loss on the language model's image tokens.
        every: Steps between two lines of the log.
        held_out: Held-out examples the logged figures are measured on.
        save_s: Seconds between two saves of the state.
        varied: Whether examples get other looks, words and frames.
        workers: Processes that make examples; 0 for none beside the trainer.
        bf16: Whether products are of bfloat16 numbers; pays where the device has such.
    """

    minutes: float = 55.0
    steps: int = 0
    batch: int = 32
    rate: float = 1e-3
    rate_matrices: float = 1.5e-3
    warmup: float = 0.02
    hold: float = 0.4
    decay: float = 0.05
    clip: float = 1.0
    blur: float = 20.0
    sharp: float = 0.75
    tower_weight: float = 1.0
    cue_weight: float = 1.0
    every: int = 25
    held_out: int = 64
    save_s: float = 180.0
    varied: bool = True
    workers: int = 1
    bf16: bool = False


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
    muon = torch.optim.Muon(
        matrices,
        lr=config.rate_matrices,
        weight_decay=config.decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [(adam, config.rate), (muon, config.rate_matrices)]
