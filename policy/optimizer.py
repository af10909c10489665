"""Adam, with one rate for each group of parameters and a schedule over the run."""

from __future__ import annotations

import torch

from policy.average import list_trainable
from policy.grpo_config import GRPOConfig
from policy.vlm import VLM


def build_optimizer(vlm: VLM, config: GRPOConfig) -> torch.optim.Adam:
    """Returns Adam over the weights that train, without weight decay.

    Raises:
        ValueError: If nothing trains.
    """
    model = vlm.model
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    embeddings = {id(p) for module in ends if module for p in module.parameters()}
    language = {id(parameter) for parameter in model.get_decoder().parameters()}
    groups: dict[str, list[torch.nn.Parameter]] = {}
    for _, parameter in list_trainable(vlm):
        key = id(parameter)
        inside = "language" if key in language else "tower"
        name = "embeddings" if key in embeddings else inside
        groups.setdefault(name, []).append(parameter)
    if not groups:
        raise ValueError("no weight of the policy trains; see policy.trainable")
    return torch.optim.Adam(
        [{"params": members, "name": name} for name, members in groups.items()],
        betas=(0.9, config.adam_beta2),
    )


def set_rates(
    optimizer: torch.optim.Optimizer, config: GRPOConfig, step: int, steps: int
) -> None:
    """Sets the rates of a step: growing, constant, then falling to zero.

    Args:
        optimizer: One of `build_optimizer`.
        config: The rates and their schedule.
        step: Counted from 1.
        steps: Of the whole run.
    """
    share = min(1.0, step / max(config.warmup_steps, 1))
    if config.cooldown:
        share = min(share, (steps - step + 1) / (config.cooldown * steps))
    for group in optimizer.param_groups:
        group["lr"] = share * getattr(config.learning_rate, group["name"])
