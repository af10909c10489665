"""Models with random weights, of any size: for tests, and to measure speed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PretrainedConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
    Qwen2VLImageProcessorPil,
)
from transformers.utils import logging

from policy.model.tiny.tokenizer import build_tokenizer


def build_qwen2_5_vl(
    path: Path,
    *,
    text: Mapping[str, Any],
    vision: Mapping[str, Any],
    rows: int | None = None,
    tokenizer: Any = None,
    dtype: str = "float32",
) -> None:
    """Writes a model of the paper's architecture.

    Args:
        path: The directory it is written to.
        text: Sizes of the language model, as in its configuration.
        vision: Sizes of the image encoder.
        rows: Rows of the tied embeddings; None is one a token.
        tokenizer: That of the default policy if None.
        dtype: The weights' type.
    """
    tokenizer = tokenizer or build_tokenizer()
    ids = tokenizer.get_vocab()
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": rows or len(tokenizer),
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            **text,
        },
        vision_config=dict(vision),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    logging.disable_progress_bar()
    model = draw_weights(Qwen2_5_VLForConditionalGeneration, config, dtype)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    Qwen2VLImageProcessorPil().save_pretrained(path)


def draw_weights(kind: Any, config: PretrainedConfig, dtype: str = "float32") -> Any:
    """Returns a model with weights large enough for attention to matter.

    Args:
        kind: Its class.
        config: Its sizes.
        dtype: The weights' type.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind._from_config(config, dtype=getattr(torch, dtype))
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return model
