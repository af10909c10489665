"""Low-rank adapters: put in, found, and added to the weights for a while."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers import PreTrainedModel

from policy.records import LoraSpec


def add_adapters(model: PreTrainedModel, spec: LoraSpec) -> PeftModel:
    """Puts adapters into the decoder's linear layers and freezes all else.

    Args:
        model: Changed in place.
        spec: Size and seed of the adapters, which are float32 whatever the model is.

    Returns:
        The wrapper that switches adapters off and merges them.
    """
    decoder = {id(module) for module in model.get_decoder().modules()}
    targets = [
        name
        for name, module in model.named_modules()
        if id(module) in decoder and _is_product(module)
    ]
    config = LoraConfig(
        r=spec.rank, lora_alpha=spec.alpha, lora_dropout=0.0, target_modules=targets
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # peft reads a property that transformers has renamed.
        warnings.filterwarnings("ignore", ".*gradient_checkpointing", FutureWarning)
        torch.manual_seed(spec.seed)
        with _unnamed(model.config):
            adapted = get_peft_model(model, config)
    return adapted.eval()


def _is_product(module: nn.Module) -> bool:
    """Whether it is linear and no more: some routers are, and say which experts."""
    is_linear = isinstance(module, nn.Linear)
    return is_linear and type(module).forward is nn.Linear.forward


@contextmanager
def _unnamed(config: Any) -> Iterator[None]:
    """Hides what family it is; of some, peft takes any product for one of experts."""
    name = config.model_type
    config.model_type = ""
    try:
        yield
    finally:
        config.model_type = name


def list_adapters(model: PreTrainedModel) -> set[str]:
    """Returns the names of the parameters that adapters add."""
    inside = {
        id(parameter)
        for layer in model.modules()
        if isinstance(layer, LoraLayer)
        for kind in layer.adapter_layer_names
        for parameter in getattr(layer, kind).parameters()
    }
    return {name for name, p in model.named_parameters() if id(p) in inside}


def copy_to_cpu(model: Any) -> Any:
    """Returns a copy whose numbers are in the CPU's memory: a full GPU has no room."""
    made: dict[int, Any] = {}
    for weight in model.parameters():
        copied = weight.detach().cpu().clone()
        made[id(weight)] = nn.Parameter(copied, requires_grad=weight.requires_grad)
    for buffer in model.buffers():
        made[id(buffer)] = buffer.detach().cpu().clone()
    return copy.deepcopy(model, made)


@contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Adds adapters to the weights they adapt while the `with` block runs.

    A layer is then one product instead of three. Afterwards the weights are the very
    ones of before. Weights of fewer than 32 bits stay as they are: a sum would lose
    what is finer than their numbers.
    """
    layers: list[Any] = [m for m in model.modules() if isinstance(m, LoraLayer)]
    full = [x for x in layers if _is_full(x.get_base_layer())]
    plain = [layer.get_base_layer().weight.data for layer in full]
    try:
        with torch.no_grad():
            for layer, weight in zip(full, plain, strict=True):
                [name] = layer.active_adapters
                added = weight + layer.get_delta_weight(name)
                layer.get_base_layer().weight.data = added
                layer.merged_adapters.append(name)
        yield
    finally:
        for layer, weight in zip(full, plain, strict=True):
            layer.get_base_layer().weight.data = weight
            layer.merged_adapters.clear()


def are_merged(model: nn.Module) -> bool:
    """Whether all adapters that a model has are added to its weights."""
    return all(m.merged for m in model.modules() if isinstance(m, LoraLayer))


def read_weight(layer: nn.Module) -> Tensor:
    """Returns the [out, in] weight of a product, without adapters not merged."""
    product: Any = layer.get_base_layer() if isinstance(layer, LoraLayer) else layer
    return product.weight


def _is_full(layer: nn.Module) -> bool:
    """Whether it is a product with float32 weights; experts, for one, are several."""
    return isinstance(layer, nn.Linear) and layer.weight.dtype == torch.float32
