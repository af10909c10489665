"""The policies that the configuration names."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from launching.choices import SEVERAL, find_conf, spell

THREADS = 8  # of a small model; more only wait for each other


def load_policy(node: DictConfig, *, keep_reference: bool = False) -> Any:
    """Loads the model that `policy=` names."""
    announce(str(node.path))
    import policy

    options: Any = OmegaConf.to_container(node)
    path, lora = options.pop("path"), options.pop("lora")
    vlm = policy.load(
        str(path),
        lora=read_lora(lora),
        keep_reference=keep_reference,
        **options,
    )
    set_threads(vlm.model)
    return vlm


def set_threads(model: Any) -> None:
    """Lets a small model, as the default one is, use few threads, a large one all."""
    import torch

    from policy.runtime.lanes import is_small

    usual = _count_threads()
    torch.set_num_threads(min(usual, THREADS) if is_small(model) else usual)


@lru_cache(maxsize=1)
def _count_threads() -> int:
    """Threads before any model has set them; a large one may follow a small one."""
    import torch

    return torch.get_num_threads()


def announce(path: str) -> None:
    """Says that a hub is asked for a policy; that may take a while."""
    from huggingface_hub import constants

    from policy.home import find

    if not find(path).is_dir():
        print(f"policy {path}: asking {constants.ENDPOINT}", file=sys.stderr)


def read_lora(value: Any) -> Any:
    """Returns the adapters that `policy.lora=` describes; None for null."""
    from policy import LoraSpec

    if value is None:
        return None
    try:
        return LoraSpec(**value)
    except TypeError as error:
        raise ValueError(
            f"policy.lora is {value!r}; use null or, in quotes, "
            "'policy.lora={rank:16,alpha:32}'"
        ) from error


def choose_answerer(node: DictConfig, max_new_tokens: int) -> Any:
    """Returns what answers scenes: a baseline, or a model, greedily."""
    from policy.evaluation.baselines import BASELINES as scripted
    from policy.rollout.collect import answer_greedily
    from policy.rollout.play import answer_scripted

    if node.path in scripted:
        return answer_scripted(scripted[node.path])
    plain = OmegaConf.merge(node, {"lora": None})  # adapters are for training
    assert isinstance(plain, DictConfig)
    return answer_greedily(load_policy(plain), max_new_tokens)


def name_policy(node: DictConfig) -> str:
    """Returns what the user called the policy: its file in conf/policy, or its path."""
    choice = HydraConfig.get().runtime.choices["policy"]
    return str(node.path) if choice == "path" else str(choice)


def list_policies(config: DictConfig) -> list[tuple[str, DictConfig]]:
    """Returns the policies that `policy=` names, each with its configuration."""
    from launching.mistakes import read_words

    job, choices = HydraConfig.get(), HydraConfig.get().runtime.choices
    if choices["policy"] != SEVERAL:
        return [(name_policy(config.policy), config.policy)]
    others = [
        word
        for word in job.overrides.task
        if word.split("=")[0] not in ("policy", "policy.names")
    ]
    found = []
    for name in config.policy.names:
        words = [*others, *spell(f"policy={name}")]
        node = read_words(str(job.job.config_name), find_conf(), words).policy
        found.append((name, node))
    return found
