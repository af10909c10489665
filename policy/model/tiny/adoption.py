"""A new default policy begins with the weights of another.

It may know more words and have more layers. It then answers as the other does until it
learns something of its own: new layers begin as ones that pass on what they are given.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from policy.model.tiny.model import WRITERS
from policy.model.tiny.tokenizer import list_colour_ids

EMBEDDINGS = ("lm_head.weight", "model.language_model.embed_tokens.weight")
STACKS = {
    "model.visual.blocks": lambda config: config.vision_config.depth,
    "model.language_model.layers": lambda config: config.text_config.num_hidden_layers,
}
_LAYER = re.compile(rf"({'|'.join(map(re.escape, STACKS))})\.(\d+)\.(.+)")


def adopt_weights(
    model: Qwen3VLForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    other: Any,
    other_tokenizer: PreTrainedTokenizerFast,
) -> None:
    """Copies the weights of another policy, tokens by their text, layers spread evenly.

    Names of colours that the other does not know move as those it knows have on
    average; other tokens it does not know stay as they are.

    Raises:
        RuntimeError: The other is wider or narrower, or has more layers.
    """
    known = model.state_dict()
    state = _silence(known) | _spread(other.state_dict(), other.config, model.config)
    for name in EMBEDDINGS:
        if state[name].shape[1:] == known[name].shape[1:]:
            state[name] = _adopt_rows(
                known[name], state[name], tokenizer, other_tokenizer
            )
    model.load_state_dict(state)


def _spread(state: dict[str, Tensor], old: Any, new: Any) -> dict[str, Tensor]:
    """Returns the weights under the names that their layers have among more."""
    counts = {name: (count(old), count(new)) for name, count in STACKS.items()}
    for name, (fewer, more) in counts.items():
        if fewer > more:
            raise RuntimeError(f"{fewer} layers of {name} do not fit into {more}")

    def rename(name: str) -> str:
        if not (found := _LAYER.fullmatch(name)):
            return name
        stack, layer, rest = found.groups()
        fewer, more = counts[stack]
        return f"{stack}.{int(layer) * more // fewer}.{rest}"

    return {rename(name): weight for name, weight in state.items()}


def _silence(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the weights with layers that add nothing to what they are given."""
    return {
        name: torch.zeros_like(weight)
        if name.rpartition(".")[0].endswith(WRITERS)
        else weight
        for name, weight in state.items()
    }


def _adopt_rows(
    first: Tensor,
    adopted: Tensor,
    tokenizer: PreTrainedTokenizerFast,
    other_tokenizer: PreTrainedTokenizerFast,
) -> Tensor:
    """[V, width] embeddings: the other's rows for the tokens that it knows."""
    ids, others = tokenizer.get_vocab(), other_tokenizer.get_vocab()
    shared = [token for token in ids if token in others]
    rows = [ids[token] for token in shared]
    table = first.clone()
    table[rows] = adopted[[others[token] for token in shared]].to(table)
    for names in list_colour_ids(tokenizer):
        examples = [row for row in names if row in rows]
        new = [row for row in names if row not in rows]
        _move_along(table, first, new, examples)
    return table


def _move_along(
    table: Tensor, first: Tensor, rows: list[int], examples: list[int]
) -> None:
    """Moves rows from their first values by what the examples moved on average."""
    if examples:
        table[rows] = first[rows] + (table - first)[examples].mean(0)
