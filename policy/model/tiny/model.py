"""The default policy's parts: configuration, image processor and model.

A stock transformers Qwen3-VL, small enough for two CPU cores, that starts from random
weights. Everything here ends up in one plain Hugging Face directory. Three choices are
for learning to point quickly at this size:

- one token per integer 0..1000, whose first embeddings are Fourier features of the
  value, so that neighbours start as neighbours;
- names of colours whose embeddings are Fourier features of their red, green and blue
  and learn only what all names learn together, so that a colour never read in training
  has a place among the others;
- position embeddings of the tower that start as two-dimensional sinusoids;
- the instruction before the image, so that each image token already knows what is
  asked for when it is read.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
    Qwen2VLImageProcessorPil,
)

from policy.model.settings import Settings, save_settings
from policy.model.tiny.size import TinySize
from policy.model.tiny.tokenizer import (
    END,
    IMAGE,
    MAX_INTEGER,
    PAD,
    VIDEO,
    VISION_END,
    VISION_START,
    list_colour_ids,
    list_integer_ids,
)

# The modules of a layer that write to the residual stream.
WRITERS = ("o_proj", "down_proj", "attn.proj", "mlp.linear_fc2")


def build_image_processor(size: TinySize) -> Qwen2VLImageProcessorPil:
    """Builds the stock processor, set to bring any square image to the input size."""
    pixels = size.image * size.image
    return Qwen2VLImageProcessorPil(
        size={"shortest_edge": pixels, "longest_edge": pixels},
        patch_size=size.patch,
        merge_size=size.merge,
        temporal_patch_size=1,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )


def build_config(size: TinySize, tokenizer: PreTrainedTokenizerFast) -> Qwen3VLConfig:
    """Builds the stock configuration for a size and a tokenizer."""
    ids = tokenizer.get_vocab()
    head = size.width // size.language_heads
    third = head // 6  # frequencies a head gives to rows and to columns; rest to time
    vision = {
        "depth": size.tower_layers,
        "hidden_size": size.width,
        "intermediate_size": size.tower_hidden,
        "num_heads": size.tower_heads,
        "patch_size": size.patch,
        "temporal_patch_size": 1,
        "spatial_merge_size": size.merge,
        "out_hidden_size": size.width,
        "num_position_embeddings": size.grid**2,
        "deepstack_visual_indexes": [],
        "rope_parameters": {"rope_type": "axial", "rope_theta": 100.0},
    }
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": size.width,
        "intermediate_size": size.language_hidden,
        "num_hidden_layers": size.language_layers,
        "num_attention_heads": size.language_heads,
        "num_key_value_heads": size.language_heads,
        "head_dim": head,
        "max_position_embeddings": 2048,
        "pad_token_id": ids[PAD],
        "eos_token_id": ids[END],
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [head // 2 - 2 * third, third, third],
            "mrope_interleaved": True,
        },
    }
    return Qwen3VLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=ids[IMAGE],
        video_token_id=ids[VIDEO],
        vision_start_token_id=ids[VISION_START],
        vision_end_token_id=ids[VISION_END],
        tie_word_embeddings=False,
    )


def build_model(
    size: TinySize, tokenizer: PreTrainedTokenizerFast, *, seed: int
) -> Qwen3VLForConditionalGeneration:
    """Builds the model with random weights, in float32.

    Args:
        size: Its sizes.
        tokenizer: The tokenizer whose integers get ordered embeddings.
        seed: Seeds the weights; the global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3VLForConditionalGeneration(build_config(size, tokenizer))
        _scale_weights(model)
        _order_positions(model.model.visual.pos_embed.weight, size.grid)
        integers = list_integer_ids(tokenizer)
        embedding = model.model.language_model.embed_tokens
        _order_integers(embedding.weight, integers, std=0.5)
        _order_integers(model.lm_head.weight, integers, std=0.05)
        _order_colours(model, tokenizer)
    ids = tokenizer.get_vocab()
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=ids[END], pad_token_id=ids[PAD], max_new_tokens=96
    )
    return model


def save_policy(
    path: Path,
    model: Qwen3VLForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    size: TinySize,
    *,
    blind: bool = False,
) -> None:
    """Writes the Hugging Face directory; weights as bfloat16 safetensors."""
    path.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(path)
    build_image_processor(size).save_pretrained(path)
    half: Any = copy.deepcopy(model)
    half.to(torch.bfloat16).save_pretrained(path)
    save_settings(path, Settings(prompt_style="short", blind=blind))


@torch.no_grad()
def _scale_weights(model: nn.Module) -> None:
    """Draws matrices with variance 1 / inputs; the stock 0.02 is too small at 192.

    Layers that write to the residual stream are scaled down by the root of their count.
    """
    names = [n for n, m in model.named_modules() if n.endswith(WRITERS)]
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.Conv3d)):
            inputs = module.weight[0].numel()
            gain = len(names) ** -0.5 if name in names else 1.0
            nn.init.normal_(module.weight, std=gain * inputs**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.5)


@torch.no_grad()
def _order_positions(weight: Tensor, grid: int) -> None:
    """Fills [grid * grid, width] position embeddings with sinusoids of row, column."""
    count = weight.shape[1] // 4
    place = (torch.arange(grid) + 0.5) / grid
    waves = _fourier(place, count, low=0.25, high=grid / 2)  # [grid, 2 * count]
    rows = waves[:, None].expand(grid, grid, -1)
    columns = waves[None].expand(grid, grid, -1)
    weight.copy_(0.5 * torch.cat([rows, columns], -1).reshape(grid * grid, -1))


@torch.no_grad()
def _order_integers(weight: Tensor, ids: list[int], *, std: float) -> None:
    """Fills the integers' rows with Fourier features of their value."""
    nn.init.normal_(weight, std=std)
    value = torch.arange(len(ids)) / MAX_INTEGER
    weight[ids] = std * _fourier(value, weight.shape[1] // 2, low=0.25, high=100.0)


@torch.no_grad()
def _order_colours(model: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    """Fills the rows of names of colours with features of what they look like."""
    for tints in filter(None, list_colour_ids(tokenizer)):
        values = torch.tensor(list(tints.values()))
        for layer, std in ((model.get_input_embeddings(), 0.5), (model.lm_head, 0.05)):
            count = layer.weight.shape[1] // 6
            waves = [_fourier(v, count, low=0.25, high=2.0) for v in values.unbind(-1)]
            features = std * torch.cat(waves, -1)
            layer.weight[list(tints), : features.shape[1]] = features


def _fourier(value: Tensor, count: int, *, low: float, high: float) -> Tensor:
    """Returns [N, 2 * count] sines and cosines of [N] values, of variance one.

    The frequencies, in cycles per unit, are spaced evenly on a logarithmic scale.
    """
    steps = torch.linspace(0, 1, count)
    frequency = low * (high / low) ** steps
    angle = 2 * math.pi * value[:, None] * frequency
    return math.sqrt(2) * torch.cat([angle.sin(), angle.cos()], -1)
