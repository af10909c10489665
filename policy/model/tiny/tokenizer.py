"""The default policy's tokenizer and chat template.

Any text round-trips. One token stands for each integer 0..1000, each common word and
each run of punctuation of the answer grammar, so an answer is about 25 tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from envs.answer import format_answer
from envs.randomization.colours import PALETTE, Colour
from envs.records import Plan
from policy.model.tiny.words import WORDS

MAX_INTEGER = 1000
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
IMAGE, VIDEO = "<|image_pad|>", "<|video_pad|>"
SPECIAL = (PAD, START, END, VISION_START, VISION_END, IMAGE, VIDEO)

# Qwen3-VL's template, but the words of a turn come before its images.
CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role + '\n' }}
{%- if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for item in message.content if item.type == 'text' -%}
{{ item.text }}
{%- endfor -%}
{%- for item in message.content if item.type == 'image' -%}
<|vision_start|><|image_pad|><|vision_end|>
{%- endfor -%}
{%- endif -%}
<|im_end|>{{ '\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant{{ '\n' }}
{%- endif -%}
"""


def list_grammar_runs() -> tuple[str, ...]:
    """Returns the punctuation between the numbers of an answer, longest first.

    They are read off formatted answers, so that tokenizer and grammar cannot disagree.
    """
    flat = Plan(box=(0.1, 0.2, 0.3, 0.4), waypoints=((0.1, 0.2),) * 3, thought="x")
    high = Plan(box=(0.1, 0.2, 0.3, 0.4), waypoints=((0.1, 0.2, 0.1),) * 3, thought="x")
    runs = set()
    for plan in (flat, high):
        head, tail = format_answer(plan).split("x", 1)
        runs |= {head, *re.split(r"\d+", tail)}
    return tuple(sorted(runs - {""}, key=lambda run: (-len(run), run)))


def build_tokenizer(words: Iterable[str] = WORDS) -> PreTrainedTokenizerFast:
    """Builds the tokenizer: bytes, integers, common words and runs of the grammar.

    Text is cut at runs of the grammar, integers and words. A piece the vocabulary knows
    becomes one token and any other falls to its bytes, so every text round-trips.
    """
    runs = list_grammar_runs()
    pieces = [*runs, *map(str, range(MAX_INTEGER + 1))]
    for word in words:
        pieces += [word, f" {word}", word.capitalize()]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    spelled = [byte_level.pre_tokenize_str(piece)[0][0] for piece in pieces]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: i for i, name in enumerate(dict.fromkeys(alphabet + spelled))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[], ignore_merges=True))
    cuts = "|".join([*map(re.escape, runs), r"[0-9]+", r" ?[A-Za-z]+"])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(cuts), behavior="isolated"), byte_level]
    )
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[t for t in SPECIAL if t not in (PAD, END)],
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=2048,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def list_integer_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Returns the token ids of the integers 0..1000, in order."""
    ids = tokenizer.get_vocab()
    return [ids[str(value)] for value in range(MAX_INTEGER + 1)]


def list_colour_ids(tokenizer: PreTrainedTokenizerFast) -> list[dict[int, Colour]]:
    """Returns, for each way to spell names of colours, their token ids and colours.

    The ways are a first word, one behind a space and one with a capital; the colours
    are red, green and blue.
    """
    ids = tokenizer.get_vocab()
    spellings = (str, "\u0120{}".format, str.capitalize)  # \u0120: a space
    return [
        {ids[spell(name)]: tint for name, tint in PALETTE.items() if spell(name) in ids}
        for spell in spellings
    ]
