"""What a model takes, and how its inputs go on when an answer follows the prompt."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils.generic import ModelOutput


def fit_inputs(model: PreTrainedModel, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns what a model takes of inputs, where it is and in its precision.

    Labels, whose loss is not ours, are left out.
    """
    forwards = (model.forward, model.base_model.forward)
    names = {name for f in forwards for name in inspect.signature(f).parameters}
    names -= {"labels", "kwargs", "position_ids"}
    return {
        name: value.to(model.device, model.dtype if value.is_floating_point() else None)
        for name, value in inputs.items()
        if name in names
    }


def carry_on(
    model: PreTrainedModel, inputs: dict[str, Any], token_ids: Tensor
) -> dict[str, Any]:
    """Returns inputs of prompts as inputs of prompts and answers.

    What belongs to tokens, such as a mask, grows as the family says it grows by one
    token; the rest stays.

    Args:
        model: The model.
        inputs: Those of B prompts, [B, L].
        token_ids: [B, T] of their answers.
    """
    length, steps = inputs["attention_mask"].shape[1], token_ids.shape[1]
    others = {name: value for name, value in inputs.items() if name != "input_ids"}
    grow: Any = model._update_model_kwargs_for_generation
    grown = grow(
        ModelOutput(image_hidden_states=None), {**others, "use_cache": False}, False
    )
    carried: dict[str, Any] = dict(others)
    for name, value in others.items():
        if isinstance(value, Tensor) and value.shape[1:2] == (length,):
            after = grown[name][:, length:]
            if not after.shape[1]:  # a kind of token of this family's own
                after = torch.zeros_like(value[:, :1])
            carried[name] = torch.cat([value, after.repeat_interleave(steps, 1)], 1)
    if "input_ids" in inputs:
        carried["input_ids"] = torch.cat([inputs["input_ids"], token_ids], 1)
    return carried


def list_masks(inputs: dict[str, Any]) -> dict[str, Tensor]:
    """Returns the masks of prompts that tokens of their answers need, too."""
    length = inputs["attention_mask"].shape[1]
    return {
        name: value
        for name, value in inputs.items()
        if name.endswith("attention_mask") and value.shape[1:2] == (length,)
    }


def select(model: PreTrainedModel, **arguments: Any) -> dict[str, Any]:
    """Returns the arguments that a family has: not all count positions, for one."""
    taken = inspect.signature(model.forward).parameters
    return {name: value for name, value in arguments.items() if name in taken}
