"""What steps the weights: rates for each group of parameters, a schedule over the run.

Muon (orthogonalised momentum) on the matrices inside layers learns more from few noisy
gradients than Adam does. Everything else is Adam's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from policy.grpo.average import list_trainable
from policy.grpo.config import GRPOConfig
from policy.grpo.muon import Muon
from policy.model.masters import keep_masters
from policy.model.trainable import name_groups
from policy.model.vlm import VLM


class JoinedOptimizer(torch.optim.Optimizer):
    """Several optimizers that step as one: their groups and states side by side."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        """Takes over the parts, which must not be stepped alone any more."""
        groups = [group for part in parts for group in part.param_groups]
        super().__init__(groups, {})
        self.param_groups = groups  # the very ones the parts read their rates from
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.parts = parts
        for part in parts:
            part.state = self.state

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Steps every part."""
        for part in self.parts:
            part.step()


def is_layer_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter is a matrix inside a layer of tower or language model."""
    return parameter.ndim == 2 and (".layers." in name or ".blocks." in name)


def build_optimizer(vlm: VLM, config: GRPOConfig) -> torch.optim.Optimizer:
    """Returns the optimizer of the weights that train, without weight decay.

    Raises:
        ValueError: If nothing trains.
    """
    by_muon, by_adam = [], []
    for name, members in _list_by_group(vlm).items():
        matrices = [p for n, p in members if _takes_muon(n, p, config)]
        others = [p for n, p in members if not _takes_muon(n, p, config)]
        by_muon += [{"params": matrices, "name": name}] if matrices else []
        by_adam += [{"params": others, "name": name}] if others else []
    parts: list[torch.optim.Optimizer] = []
    if by_muon:
        parts.append(Muon(by_muon))
    if by_adam:
        parts.append(torch.optim.Adam(by_adam, betas=(0.9, config.adam_beta2)))
    if not parts:
        raise ValueError("no weight of the policy trains; see policy.trainable")
    optimizer = JoinedOptimizer(parts) if len(parts) > 1 else parts[0]
    keep_masters(optimizer)
    return optimizer


def _takes_muon(name: str, parameter: nn.Parameter, config: GRPOConfig) -> bool:
    return config.optimizer == "muon" and is_layer_matrix(name, parameter)


def _list_by_group(vlm: VLM) -> dict[str, list[tuple[str, nn.Parameter]]]:
    """Names and parameters that train, of each group of `LearningRates`."""
    names = name_groups(vlm.model)
    groups: dict[str, list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in list_trainable(vlm):
        groups.setdefault(names[name], []).append((name, parameter))
    return groups


def set_rates(
    optimizer: torch.optim.Optimizer, config: GRPOConfig, step: int, steps: int
) -> None:
    """Sets the rates of a step: growing, constant, then falling to zero.

    Args:
        optimizer: One of `build_optimizer`.
        config: The rates and their schedule.
        step: Counted from 1.
        steps: Steps of the whole run.
    """
    share = min(1.0, step / max(config.warmup_steps, 1))
    if config.cooldown:
        share = min(share, (steps - step + 1) / (config.cooldown * steps))
    for group in optimizer.param_groups:
        group["lr"] = share * getattr(config.learning_rate, group["name"])
