"""Plain data from a file that may be a stranger's: bounded, and referring to nothing.

References inside YAML cost a few bytes and grow without an end when they are followed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

LONGEST = 2**18  # bytes; a configuration has some three thousand


class _Plain(yaml.SafeLoader):
    """Reads YAML without references."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("a reference")
        return super().compose_node(parent, index)


def read_yaml(file: Path) -> dict[str, Any]:
    """Returns what a configuration holds.

    Raises:
        ValueError: It is damaged, too long, or refers to something.
    """
    values = load_yaml(file)
    if not isinstance(values, dict):
        raise ValueError(f"{file} is damaged or empty")
    return values


def load_yaml(file: Path) -> Any:
    """Returns what a file of at most `LONGEST` bytes holds, whatever it is.

    Raises:
        ValueError: It is damaged, longer, or refers to something.
    """
    if file.stat().st_size > LONGEST:
        raise ValueError(f"{file} has more than {LONGEST} bytes")
    try:
        return yaml.load(file.read_text(encoding="utf-8"), _Plain)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged ({_explain(error)})") from error


def read_json(file: Path) -> dict[str, Any]:
    """Returns the object that a file holds.

    Raises:
        ValueError: It is damaged.
    """
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{file} is damaged ({_explain(error)})") from error


def _explain(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
