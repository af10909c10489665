"""Random miniatures of every architecture of `AutoModelForImageTextToText`.

A configuration is the family's default with its sizes shrunk by the names they have;
what a family wants beyond that stands in `SPECS`.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
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
QWEN = "<|vision_start|><|image_pad|><|vision_end|>"


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


QWEN_TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
SQUARE = {"size": {"height": 56, "width": 56}}
CROPPED = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
MROPE = {"rope_parameters": {"rope_type": "default", "mrope_section": [4, 2, 2]}}
WIDE_MROPE = {
    "head_dim": 64,
    "rope_parameters": {
        "rope_type": "default",
        "mrope_section": [4, 2, 2],
        "partial_rotary_factor": 0.25,
    },
}


def qwen(text: Mapping[str, Any] = MROPE, **more: Any) -> Spec:
    """A family that shows images as Qwen does."""
    config = {"text_config": text, **more.pop("config", {})}
    return Spec(place=QWEN, tokens=QWEN_TOKENS, config=config, **more)


GLM = Spec(
    place="<|begin_of_image|><|image|><|end_of_image|>",
    tokens={
        "image_token": "<|image|>",
        "video_token": "<|video|>",
        "image_start_token": "<|begin_of_image|>",
        "image_end_token": "<|end_of_image|>",
        "video_start_token": "<|begin_of_video|>",
        "video_end_token": "<|end_of_video|>",
    },
    config={"text_config": MROPE},
)
PATCHES = {"patch_size": 14, "vision_feature_select_strategy": "default"}
GEMMA = Spec(
    place="<start_of_image>",
    tokens={
        "boi_token": "<start_of_image>",
        "image_token": "<image_soft_token>",
        "eoi_token": "<end_of_image>",
    },
    config={"mm_tokens_per_image": 4},
    images=SQUARE,
    processor={"image_seq_length": 4},
)
INTERN = Spec(
    place="<IMG_CONTEXT>",
    tokens={
        "context_image_token": "<IMG_CONTEXT>",
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "video_token": "<video>",
    },
    config={"image_token_id": "<IMG_CONTEXT>"},
    images=SQUARE,
    processor={"image_seq_length": 4},
)
PIXTRAL = Spec(
    place="[IMG]",
    tokens={
        "image_token": "[IMG]",
        "image_break_token": "[IMG_BREAK]",
        "image_end_token": "[IMG_END]",
    },
    images={"size": {"longest_edge": 56}, "patch_size": 14},
    processor={"patch_size": 14, "spatial_merge_size": 2},
)
TILES = {
    "size": {"longest_edge": 56},
    "max_image_size": {"longest_edge": 56},
    "do_image_splitting": False,
}
IDEFICS = {
    "image_token": "<image>",
    "fake_token": "<fake_token_around_image>",
    "global_token": "<global-img>",
}
ANYRES = Spec(
    config={"image_grid_pinpoints": [[56, 112], [112, 56]]},
    images={**CROPPED, "image_grid_pinpoints": [[56, 112], [112, 56]]},
    processor={**PATCHES, "num_additional_image_tokens": 1},
)
LLAVA = Spec(images=CROPPED, processor={**PATCHES, "num_additional_image_tokens": 1})
SIGHTED = {"vision_feature_select_strategy": "full", "num_image_tokens": 16}
DEEPSEEK = Spec(
    place="<image_placeholder>",
    images={"size": {"height": 56, "width": 56}, "min_size": 14},
    processor={"num_image_tokens": 16},
)
OVIS = ("ATOM", "START", "GRID", "COL", "ROW", "END")
SPECS: dict[str, Spec] = {
    **dict.fromkeys(("qwen2_vl", "qwen2_5_vl", "qwen3_vl"), qwen()),
    "qwen3_vl_moe": qwen(images={"image_processor_type": "Qwen2VLImageProcessor"}),
    "glm4v_moe": replace(
        GLM,
        config={"text_config": {**MROPE, "head_dim": 32}},
        images={"image_processor_type": "Glm4vImageProcessor"},
    ),
    **dict.fromkeys(("qwen3_5", "qwen3_5_moe"), qwen(WIDE_MROPE)),
    "exaone4_5": qwen(),
    **dict.fromkeys(("video_llama_3", "lfm3_vl"), qwen({})),
    **dict.fromkeys(("glm46v", "glm4v", "glm5_next"), GLM),
    **dict.fromkeys(("gemma3", "shieldgemma2"), GEMMA),
    "internvl": INTERN,
    "qianfan_ocr": replace(INTERN, place="<image>"),
    **dict.fromkeys(
        ("glm_ocr", "glmga"),
        replace(
            GLM,
            images={"image_processor_type": "Glm46VImageProcessor"},
            processor={"processor_class": "Glm46VProcessor"},
        ),
    ),
    "gemma4": Spec(
        place="<image>",
        tokens={
            "image_token": "<image>",
            "boi_token": "<boi>",
            "eoi_token": "<eoi>",
            "audio_token": "<audio>",
            "boa_token": "<boa>",
            "eoa_token": "<eoa>",
        },
        config={
            "audio_config": None,
            "text_config": {
                "vocab_size_per_layer_input": 800,
                "hidden_size_per_layer_input": 8,
                "per_layer_config": {"1": {"head_dim": 32}},
            },
            "vision_config": {"model_type": "gemma4_vision", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16, "position_embedding_size": 64},
        },
        images={"max_soft_tokens": 70, "feature_extractor_type": "Gemma4AudioFeatureExtractor"},
    ),
    "hunyuan_vl": Spec(
        place="<im_start><image><im_end>",
        tokens={"image_token": "<image>", "image_start_token": "<im_start>", "image_end_token": "<im_end>"},
        config={"image_token_id": "<image>", "im_start_id": "<im_start>", "im_end_id": "<im_end>", "text_config": {"head_dim": 16, "rope_parameters": {"rope_type": "dynamic", "factor": 1.0, "xdrope_section": [2, 2, 2, 2], "alpha": 1000.0}}},
        images={"size": {"shortest_edge": 3136, "longest_edge": 3136}, "patch_size": 14},
    ),
    "aria": Spec(
        config={
            "projector_patch_to_query_dict": {"4900": 4},
            "vision_config": {"image_size": 980, "patch_size": 14},
        },
        processor={"size_conversion": {"980": 4}},
    ),
    **dict.fromkeys(("mistral3", "lighton_ocr"), PIXTRAL),
    "llava": LLAVA,
    "vipllava": replace(LLAVA, config={"vision_feature_layers": [-1, -2]}),
    "video_llava": replace(
        LLAVA,
        tokens={"image_token": "<image>", "video_token": "<video>"},
        images={**CROPPED, "image_processor_type": "VideoLlavaImageProcessor"},
    ),
    **dict.fromkeys(("llava_next",), ANYRES),
    "llava_next_video": replace(
        ANYRES, tokens={"image_token": "<image>", "video_token": "<video>"}
    ),
    "llava_onevision": replace(
        ANYRES,
        tokens={"image_token": "<image>", "video_token": "<video>"},
        images={**SQUARE, "image_grid_pinpoints": [[56, 112], [112, 56]]},
        processor=SIGHTED,
    ),
    **dict.fromkeys(
        ("idefics3", "smolvlm"),
        Spec(tokens=IDEFICS, images=TILES, processor={"image_seq_len": 4}),
    ),
    "idefics2": Spec(
        tokens={
            "image_token": "<image>",
            "image_boundary_token": "<fake_token_around_image>",
        },
        config={
            "perceiver_config": {
                "resampler_n_latents": 4,
                "resampler_depth": 1,
                "resampler_n_heads": 2,
                "resampler_head_dim": 16,
            }
        },
        images={
            "size": {"shortest_edge": 56, "longest_edge": 56},
            "do_image_splitting": False,
        },
        processor={"image_seq_len": 4},
    ),
    "paligemma": Spec(images={**SQUARE, "image_seq_length": 16}),
    "aya_vision": Spec(
        tokens={
            "image_token": "<image>",
            "start_of_img_token": "<|START_OF_IMG|>",
            "end_of_img_token": "<|END_OF_IMG|>",
            "img_patch_token": "<|IMG_PATCH|>",
        },
        config={"image_token_index": "<|IMG_PATCH|>"},
        images={**SQUARE, "crop_to_patches": False},
        processor={"img_size": 56, "patch_size": 14, "downsample_factor": 2},
    ),
    "deepseek_vl": DEEPSEEK,
    "chameleon": Spec(
        tokens={"image_token": "<image>", "boi_token": "<soi>", "eoi_token": "<eoi>"},
        config={
            "vocabulary_map": {"<image>": "<image>"}
            | {f"IMGIMG{letter}Z": f"<code{letter}>" for letter in "ABCDEFGH"},
            "vq_config": {
                "num_embeddings": 8,
                "embed_dim": 8,
                "latent_channels": 32,
                "base_channels": 32,
                "num_res_blocks": 1,
                "channel_multiplier": [1, 1, 1, 1],
                "resolution": 56,
            },
        },
        images=CROPPED,
        processor={"image_seq_length": 49},
    ),
    "cosmos3_edge": qwen(images={"patch_size": 14}),
    "cohere_compass": Spec(
        config={
            "text_config": {
                "rope_parameters": dict.fromkeys(
                    ("full_attention", "sliding_attention"),
                    {"rope_type": "default", "rope_theta": 1e4},
                )
            }
        },
        images={"patch_size": 14},
        place="<|VISION_START|><|IMAGE_PAD|><|VISION_END|>",
        tokens={
            "image_token": "<|IMAGE_PAD|>",
            "video_token": "<|VIDEO_PAD|>",
            "vision_start_token": "<|VISION_START|>",
            "vision_end_token": "<|VISION_END|>",
        },
    ),
    "ernie4_5_vl_moe": replace(
        GLM,
        config={
            "text_config": {
                "moe_intermediate_size": [24, 24],
                "mlp_layer_types": ["dense", "sparse"],
                "moe_k": 2,
                "rope_parameters": {"rope_type": "default", "mrope_section": [3, 3, 2]},
            }
        },
    ),
    "got_ocr2": Spec(
        place="<imgpad>",
        tokens={"img_start_token": "<img>", "img_end_token": "</img>"},
        config={
            "vision_config": {"image_size": 1024, "patch_size": 16, "window_size": 14}
        },
        images={"size": {"height": 1024, "width": 1024}, "crop_to_patches": False},
    ),
    "janus": Spec(
        tokens={
            "image_token": "<image_placeholder>",
            "boi_token": "<boi>",
            "eoi_token": "<eoi>",
        },
        place="<image_placeholder>",
        config={"vision_config": {"num_image_tokens": 16}},
        images={"size": {"height": 56, "width": 56}, "min_size": 14},
        processor={"num_image_tokens": 16},
    ),
    "ovis2": Spec(
        tokens={f"{name}_token": f"<IMG_{name}>" for name in OVIS},
        config={
            "image_token_id": "<IMG_ATOM>",
            "visual_indicator_token_ids": [f"<IMG_{name}>" for name in OVIS[1:]],
            "vision_config": {"vocab_size": 24},
        },
        images={**SQUARE, "crop_to_patches": False},
        processor={"image_seq_length": 16},
    ),
    "paddleocr_vl": replace(
        qwen(),
        place="<|vision_start|><|IMAGE_PLACEHOLDER|><|vision_end|>",
        tokens={**QWEN_TOKENS, "image_token": "<|IMAGE_PLACEHOLDER|>"},
    ),
    **dict.fromkeys(
        ("minicpmv4_6", "minicpmv4_7"),
        Spec(
            config={"insert_layer_id": 0, "vision_config": {"insert_layer_id": 0}},
            tokens={
                "image_token": "<image>",
                "video_token": "<video>",
                **{
                    f"{n}_token": f"<{n}>"
                    for n in (
                        "image_start",
                        "image_end",
                        "slice_start",
                        "slice_end",
                        "image_id_start",
                        "image_id_end",
                    )
                },
            },
        ),
    ),
    "mllama": Spec(
        place="<|image|>",
        config={
            "text_config": {"cross_attention_layers": [1]},
            "vision_config": {
                "num_global_layers": 1,
                "attention_heads": 2,
                "intermediate_layers_indices": [0, 1],
                "vision_output_dim": 96,
                "max_num_tiles": 2,
                "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
            },
        },
        images={**SQUARE, "max_image_tiles": 2},
    ),
}


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
        *filter(None, spec.tokens.values()),
    ]
    tokenizer.add_special_tokens(
        {"additional_special_tokens": list(dict.fromkeys(marks))}
    )
    named = {"image_token": re.findall(MARK, spec.place)[-1], **spec.tokens}
    named = {name: token for name, token in named.items() if token}
    tokenizer._set_model_specific_special_tokens(special_tokens=named)
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    tokenizer.bos_token = "<|endoftext|>"
    tokenizer.init_kwargs["add_prefix_space"] = False
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
        if key != named and spec.tokens.get(named):
            small[key] = ids[spec.tokens[named]]
        elif named == "image_token":
            small[key] = ids[image]
    if "text_config" in small:
        merge(
            small["text_config"],
            {k: v for k, v in tokens.items() if k in default["text_config"]},
        )
    merge(small, spec.config)
    small = resolve(small, ids)
    return kind(**small)


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
