"""Vision-language policies: ask, sample, score, learn.

Imported names load their files on first use, so that the records cost no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policy.model.loading import list_names, load, load_processor
    from policy.model.prompt import build_prompt
    from policy.model.settings import Settings
    from policy.model.vlm import VLM
    from policy.records import Completion, LoraSpec, Prompt, Rollout

_HOMES = {
    "Completion": "policy.records",
    "LoraSpec": "policy.records",
    "Prompt": "policy.records",
    "Rollout": "policy.records",
    "Settings": "policy.model.settings",
    "VLM": "policy.model.vlm",
    "build_prompt": "policy.model.prompt",
    "list_names": "policy.model.loading",
    "load": "policy.model.loading",
    "load_processor": "policy.model.loading",
}

__all__ = [
    "VLM",
    "Completion",
    "LoraSpec",
    "Prompt",
    "Rollout",
    "Settings",
    "build_prompt",
    "list_names",
    "load",
    "load_processor",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"policy has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)
