"""Chat templates: programs of whoever made a policy, run in a sandbox and bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from policy.model.origin.bounds import ExcessError, bounded

LENGTH = 2**20  # characters; the longest prompt of all takes some thousands


def render(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[dict[str, Any]],
    **options: Any,
) -> str:
    """Returns what a tokenizer's chat template makes of messages.

    Raises:
        ExcessError: It does not end, or makes too much of them.
        jinja2.TemplateError: It does not take them.
    """
    what = f"the chat template of {tokenizer.name_or_path}"
    with bounded(what, memory=False):
        text = tokenizer.apply_chat_template(list(messages), tokenize=False, **options)
    if len(text) > LENGTH:
        raise ExcessError(f"{what} makes {len(text)} characters of a short prompt")
    return str(text)
