"""Parts of the configuration as the records that they describe."""

from __future__ import annotations

import os
from dataclasses import is_dataclass
from typing import Any, TypeVar, cast, get_type_hints

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from launching.choices import shorten

T = TypeVar("T")


def build(record: type[T], node: DictConfig) -> T:
    """Makes a dataclass, and those inside it, of a part of the configuration.

    It is plain data: nothing in it can name what is to be called.
    """
    return _fill(record, cast(dict, OmegaConf.to_container(node)))


def _fill(record: type[T], values: dict[str, Any]) -> T:
    values.pop("_target_", None)  # in runs of earlier versions
    types = get_type_hints(record)
    if unknown := sorted(values.keys() - types.keys()):
        raise ValueError(
            f"unknown {unknown[0]!r} of {record.__name__}; valid: {', '.join(types)}"
        )
    for name, value in values.items():
        if is_dataclass(kind := types[name]):
            values[name] = _fill(cast(type, kind), value)
    try:
        return record(**values)
    except TypeError as error:
        raise ValueError(f"{record.__name__}: {error}") from error


def list_overrides() -> dict[str, str]:
    """Returns what the command line changes: key to value, as the user wrote them."""
    words = shorten(HydraConfig.get().overrides.task)
    pairs = (word.partition("=") for word in words)
    return {key.lstrip("+~"): value for key, _, value in pairs}


def say_once(text: str) -> None:
    """Prints what each of several processes finds out, in the first alone.

    They are no team yet, but those that start them number them.
    """
    if os.environ.get("RANK", "0") == "0":
        print(text)
