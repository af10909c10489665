"""Random miniatures of every architecture of `AutoModelForImageTextToText`.

A configuration is the family's default with its sizes shrunk by the names they have;
what a family wants beyond that stands in `architectures.yaml`.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from families import train_tokenizer
from transformers import AutoModelForImageTextToText, Qwen2Tokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

from policy.model.random_weights import draw_weights
from policy.model.settings import Settings, save_settings

ARCHITECTURES = tuple(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
WIDTH = 32
SIZES = {
    # of every part
    "hidden_size": WIDTH,
    "d_model": WIDTH,
    "embed_dim": WIDTH,
    "output_channels": WIDTH,
    "out_hidden_size": WIDTH,
    "encoder_hidden_size": WIDTH,
    "text_hidden_size": WIDTH,
    "projection_dim": WIDTH,
    "projector_hidden_size": WIDTH,
    "word_embed_proj_dim": WIDTH,
    "intermediate_size": 48,
    "ffn_dim": 48,
    "mlp_dim": 48,
    "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 24,
    "alignment_intermediate_size": 48,
    "num_hidden_layers": 2,
    "depth": 2,
    "num_layers": 2,
    "num_attention_heads": 2,
    "num_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 1024,
    "sliding_window": 16,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_topk": 2,
    # of latent and of linear attention
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "qk_head_dim": 16,
    "v_head_dim": 16,
    "n_group": 1,
    "topk_group": 1,
    "linear_num_heads": 2,
    "linear_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "index_n_heads": 2,
    "index_head_dim": 16,
    # of image encoders
    "image_size": 56,
    "patch_size": 14,
    "num_position_embeddings": 16,
    "fullatt_block_indexes": [1],
    "global_attn_indexes": [1],
    "deepstack_visual_indexes": [0],
}
TEMPLATE = """\
{%% for message in messages %%}\
<|im_start|>{{ message.role }}
{%% for item in message.content %%}\
{%% if item.type == 'image' %%}%s\
{%% else %%}{{ item.text }}{%% endif %%}\
{%% endfor %%}<|im_end|>
{%% endfor %%}\
{%% if add_generation_prompt %%}<|im_start|>assistant
{%% endif %%}"""
MARK = r"<[^<>]+>|\[[A-Z_]+\]"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a family wants beside smaller sizes.

    Attributes:
        place: What its chat template writes for an image.
        tokens: Further tokens, by the names that its processor reads.
        config: Values of its configuration; a part is "text_config" and so on.
        images: Values of its image processor.
        processor: Values of its processor.
    """

    place: str = "<image>"
    tokens: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    images: Mapping[str, Any] = field(default_factory=dict)
    processor: Mapping[str, Any] = field(default_factory=dict)


def read_specs() -> dict[str, Spec]:
    """Returns what stands in architectures.yaml, by family."""
    entries = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    return {name: Spec(**entry) for entry in entries for name in entry.pop("names")}


SPECS = read_specs()


def build_architecture(path: Path, name: str) -> None:
    """Writes the miniature of an architecture, a key of `ARCHITECTURES`."""
    spec = SPECS.get(name, Spec())
    tokenizer = make_tokenizer(spec)
    config = shrink(name, spec, tokenizer)
    kind = AutoModelForImageTextToText._model_mapping[type(config)]
    model = draw_weights(kind, config)
    nudge(model)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    save_settings(path, Settings())
    write_processor(path, name, spec)


def write_processor(path: Path, name: str, spec: Spec) -> None:
    kinds = IMAGE_PROCESSOR_MAPPING_NAMES.get(name) or {}
    images = {"image_processor_type": kinds.get("torchvision") or kinds.get("pil")}
    write(path / "preprocessor_config.json", images | dict(spec.images))
    kind = PROCESSOR_MAPPING_NAMES.get(name)
    write(
        path / "processor_config.json", {"processor_class": kind} | dict(spec.processor)
    )


def nudge(model: torch.nn.Module) -> None:
    """Moves gates, norms and biases, which begin with values that hide mistakes."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim <= 1:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter += 0.1 * noise


def build_bare(path: Path, name: str) -> None:
    """Writes a directory of an architecture that holds no weights, only their file."""
    path.mkdir()
    CONFIG_MAPPING[name]().save_pretrained(path)
    make_tokenizer(Spec()).save_pretrained(path)
    save_settings(path, Settings())
    write_processor(path, name, Spec())
    (path / "model.safetensors").touch()


def write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


@cache
def learn_words() -> Any:
    return train_tokenizer(Qwen2Tokenizer)


def make_tokenizer(spec: Spec) -> Any:
    """A tokenizer that knows what a chat template and a processor write."""
    tokenizer = copy.deepcopy(learn_words())
    marks = re.findall(MARK, spec.place)
    marks += re.findall(MARK, json.dumps(spec.config, default=str))
    marks += [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        *spec.tokens.values(),
    ]
    tokenizer.add_special_tokens(
        {"additional_special_tokens": list(dict.fromkeys(marks))}
    )
    named = {"image_token": re.findall(MARK, spec.place)[-1], **spec.tokens}
    tokenizer._set_model_specific_special_tokens(special_tokens=named)
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    tokenizer.bos_token = "<|endoftext|>"
    tokenizer.add_prefix_space = False
    tokenizer.chat_template = TEMPLATE % spec.place
    return tokenizer


def shrink(name: str, spec: Spec, tokenizer: Any) -> Any:
    """A configuration of small sizes."""
    kind = CONFIG_MAPPING[name]
    default = kind().to_dict()
    ids = tokenizer.get_vocab()
    small = shrink_part(default, {**SIZES, "vocab_size": len(tokenizer) + 3})
    tokens = {
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.pad_token_id,
    }
    image = re.findall(MARK, spec.place)[-1]
    merge(small, {k: v for k, v in tokens.items() if k in default})
    for key in default:
        named = re.sub("_(id|index)$", "", key)
        if key != named and named in spec.tokens:
            small[key] = ids[spec.tokens[named]]
        elif named == "image_token":
            small[key] = ids[image]
    if "text_config" in small:
        merge(
            small["text_config"],
            {k: v for k, v in tokens.items() if k in default["text_config"]},
        )
    merge(small, spec.config)
    return kind(**resolve(small, ids))


def resolve(values: Any, ids: Mapping[str, int]) -> Any:
    """Token names in place of ids become ids."""
    if isinstance(values, list):
        return [resolve(value, ids) for value in values]
    if isinstance(values, dict):
        return {k: resolve(v, ids) for k, v in values.items()}
    return ids.get(values, values) if isinstance(values, str) else values


def shrink_part(default: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Smaller values of a part; each kind of layer once, and at least two layers."""
    small = {
        key: sizes[key] for key, value in default.items() if key in sizes and value
    }
    kinds = list(dict.fromkeys(default.get("layer_types") or ()))
    if kinds:
        small["num_hidden_layers"] = max(2, len(kinds))
    for key, value in default.items():
        if isinstance(value, dict) and key.endswith("_config"):
            small[key] = shrink_part(value, sizes)
            if "model_type" in value:
                small[key]["model_type"] = value["model_type"]
        elif key.endswith("_types") and isinstance(value, list):
            kinds = list(dict.fromkeys(value))
            small[key] = (kinds * 2)[: small["num_hidden_layers"]]
    return small


def merge(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            merge(values[key], value)
        else:
            values[key] = value
