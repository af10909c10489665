"""Random miniatures of the architectures that policies come in, as directories."""

import json
from pathlib import Path
from typing import Any

from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration
from transformers.models.smolvlm.image_processing_pil_smolvlm import (
    SmolVLMImageProcessorPil,
)
from transformers.models.smolvlm.processing_smolvlm import DEFAULT_CHAT_TEMPLATE

from policy.model import random_weights
from policy.model.random_weights import draw_weights
from policy.model.settings import Settings, save_settings
from policy.model.tiny.model import TinySize, build_model, save_policy
from policy.model.tiny.tokenizer import build_tokenizer

SIZE = TinySize(
    image=84,
    width=48,
    tower_heads=2,
    language_heads=2,
    tower_layers=2,
    language_layers=3,
    tower_hidden=64,
    language_hidden=64,
)


def build_qwen3_vl(path: Path) -> None:
    """The default policy's architecture, asked in the short style."""
    tokenizer = build_tokenizer()
    model = build_model(SIZE, tokenizer, seed=0)
    save_policy(path, model, tokenizer, SIZE)
    save_settings(path, Settings(prompt_style="short"))


def build_qwen2_5_vl(path: Path, tokenizer: Any = None) -> None:
    """The paper's architecture: grouped queries, tied embeddings."""
    tokenizer = tokenizer or build_tokenizer()
    text = {
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 2, 2]},
    }
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 48,
        "window_size": 56,
        "fullatt_block_indexes": [1],
    }
    rows = len(tokenizer) + 3  # as published models: rows without a token
    random_weights.build_qwen2_5_vl(
        path, text=text, vision=vision, rows=rows, tokenizer=tokenizer
    )


def build_smolvlm(path: Path, tokenizer: Any = None) -> None:
    """A family without M-RoPE, whose image tokens stand among others."""
    tokenizer = tokenizer or build_tokenizer()
    more = ["<image>", "<fake_token_around_image>", "<global-img>"]
    tokenizer.add_special_tokens({"additional_special_tokens": more})
    ids = tokenizer.get_vocab()
    config = SmolVLMConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 56,
            "patch_size": 14,
        },
        image_token_id=ids["<image>"],
    )
    model = draw_weights(SmolVLMForConditionalGeneration, config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(path)
    tokenizer.chat_template = DEFAULT_CHAT_TEMPLATE
    tokenizer.save_pretrained(path)
    edge = {"longest_edge": 56}
    SmolVLMImageProcessorPil(
        size=edge, max_image_size=edge, do_image_splitting=False
    ).save_pretrained(path)
    config_file = path / "processor_config.json"
    config_file.write_text(
        json.dumps({"processor_class": "SmolVLMProcessor", "image_seq_len": 4})
    )


BUILDERS = {
    "qwen3_vl": build_qwen3_vl,
    "qwen2_5_vl": build_qwen2_5_vl,
    "smolvlm": build_smolvlm,
}
