"""Random miniatures as their families publish them: own tokenizers, own templates.

The tokenizers are of the families' classes, trained on one prompt; the chat templates
put a system turn and the image before the words.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from miniatures import build_qwen2_5_vl, build_smolvlm
from tokenizers import pre_tokenizers, trainers
from transformers import (
    GPT2Tokenizer,
    Qwen2Tokenizer,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
    Qwen2VLImageProcessorPil,
)

from policy.model.prompt import format_words
from policy.model.random_weights import draw_weights
from policy.model.tiny.tokenizer import SPECIAL
from policy.records import Prompt

CHAT_TEMPLATE = """\
{% for message in messages %}\
{% if loop.first %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}\
<|im_start|>{{ message.role }}
{% for item in message.content %}\
{% if item.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>\
{% else %}{{ item.text }}{% endif %}\
{% endfor %}<|im_end|>
{% endfor %}\
{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def train_tokenizer(kind: Any) -> Any:
    """A tokenizer of a class, its 600 tokens learned from the words of a prompt."""
    prompt = Prompt(image=np.zeros((1, 1, 3), np.uint8), instruction="Lift the red mug")
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, show_progress=False
    )
    blank = kind(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[])
    blank.backend_tokenizer.train_from_iterator(
        [format_words(prompt, "paper")], trainer
    )
    learned = json.loads(blank.backend_tokenizer.to_str())["model"]
    return kind(
        vocab=learned["vocab"], merges=[tuple(pair) for pair in learned["merges"]]
    )


def train_qwen_tokenizer() -> Any:
    """Of Qwen's class, which ends turns with a token of its own."""
    tokenizer = train_tokenizer(Qwen2Tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def build_qwen2_5_vl_3b(path: Path) -> None:
    """Answers in pixels."""
    build_qwen2_5_vl(path, train_qwen_tokenizer())


def build_qwen3_vl_2b(path: Path) -> None:
    """Features of the tower's inner layers reach the decoder's (DeepStack)."""
    tokenizer = train_qwen_tokenizer()
    ids = tokenizer.get_vocab()
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "rope_parameters": {
            "rope_type": "default",
            "mrope_section": [4, 2, 2],
            "mrope_interleaved": True,
        },
    }
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "out_hidden_size": 48,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    model = draw_weights(Qwen3VLForConditionalGeneration, config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    Qwen2VLImageProcessorPil(patch_size=16).save_pretrained(path)


def build_smolvlm2_500m(path: Path) -> None:
    """Cuts an image into tiles and shows the whole beside them."""
    tokenizer = train_tokenizer(GPT2Tokenizer)
    more = [*SPECIAL, "<end_of_utterance>"]
    tokenizer.add_special_tokens({"additional_special_tokens": more})
    tokenizer.eos_token, tokenizer.pad_token = "<end_of_utterance>", "<|im_end|>"
    build_smolvlm(path, tokenizer)
    file = path / "preprocessor_config.json"
    tiles = {"do_image_splitting": True, "size": {"longest_edge": 112}}
    file.write_text(json.dumps(json.loads(file.read_text()) | tiles))


FAMILIES: dict[str, Callable[[Path], None]] = {
    "qwen2_5_vl_3b": build_qwen2_5_vl_3b,
    "qwen3_vl_2b": build_qwen3_vl_2b,
    "smolvlm2_500m": build_smolvlm2_500m,
}
