"""Adam, with one rate for each group of parameters."""

from __future__ import annotations

import torch

from policy.average import list_trainable
from policy.grpo import LearningRates
from policy.vlm import VLM


def build_optimizer(vlm: VLM, rates: LearningRates) -> torch.optim.Adam:
    """Returns Adam over the weights that train, without weight decay.

    Raises:
        ValueError: If nothing trains.
    """
    model = vlm.model
    embeddings = {
        id(parameter)
        for module in (model.get_input_embeddings(), model.get_output_embeddings())
        for parameter in module.parameters()
    }
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
        [{"params": ps, "lr": getattr(rates, name)} for name, ps in groups.items()]
    )
