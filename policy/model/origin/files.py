"""What the files of a policy may hold: data that says nothing of other files or code.

They are read before transformers reads them, which would ask whether to run code that a
file names, follow a path out of the directory, or take a kernel from the hub.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NEEDED = {
    "config.json": ("config.json",),
    "weights (*.safetensors)": ("*.safetensors",),
    "a tokenizer (tokenizer.json)": ("tokenizer.json", "vocab.json", "tokenizer.model"),
    "an image processor (preprocessor_config.json)": (
        "preprocessor_config.json",
        "processor_config.json",
    ),
}
INDEX = "model.safetensors.index.json"
ADAPTERS = "adapter_config.json"
_SHARD = re.compile(r"\w[\w.-]*\.safetensors")
_NAME = re.compile(r"\w[\w.-]*")
_BACKEND = re.compile(r"(attn|experts)_implementation")
ADVICE = "put the file back as it was, or get the policy anew"


def check_directory(directory: Path) -> None:
    """Checks a policy's files before anything reads them.

    Raises:
        FileNotFoundError: Names each that is missing.
        ValueError: One cannot be read, or names code or a file elsewhere, or is a pipe.
    """
    _check_regular(directory)
    missing = [
        what
        for what, patterns in NEEDED.items()
        if not any(any(directory.glob(pattern)) for pattern in patterns)
    ]
    missing += [
        name
        for name in _list_shards(directory / INDEX)
        if not (directory / name).is_file()
    ]
    if missing:
        raise FileNotFoundError(
            f"policy directory {directory} is incomplete: {', '.join(missing)} missing"
        )
    if (directory / ADAPTERS).exists():
        raise ValueError(
            f"{directory / ADAPTERS}: adapters alone are no policy; merge them into "
            "their model and save that"
        )
    for path in sorted(directory.glob("*.json")):
        values = read_json(path)
        if path.name.endswith("config.json"):
            _check_values(path, values)
    if "model_type" not in read_json(directory / "config.json"):
        raise ValueError(f"{directory / 'config.json'} has no model_type")


def _check_regular(directory: Path) -> None:
    """Refuses pipes and devices, which may be read for ever."""
    for path in sorted(directory.iterdir()):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path} is no regular file: {ADVICE}")


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Raises:
        ValueError: There is none; the file is named.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        why = str(error) or type(error).__name__
        raise ValueError(f"{path} is not JSON ({why}): {ADVICE}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no JSON object: {ADVICE}")
    return values


def _list_shards(index: Path) -> list[str]:
    """The files that an index of weights names."""
    if not index.is_file():
        return []
    named = read_json(index).get("weight_map")
    if not isinstance(named, dict) or not named:
        raise ValueError(f"{index} has no weight_map: {ADVICE}")
    names = {str(name) for name in named.values()}
    for name in sorted(names):
        if not _SHARD.fullmatch(name):
            raise ValueError(
                f"{index} names {name!r}: weights are *.safetensors files of the same "
                "directory"
            )
    return sorted(names)


def _check_values(path: Path, values: dict[str, Any]) -> None:
    """Refuses keys that name files elsewhere or code."""
    for key, value in _walk(values):
        if key.endswith("_file") and isinstance(value, str):
            if not _NAME.fullmatch(value):
                raise ValueError(f"{path}: {key} is {value!r}; a file beside it is due")
        elif _BACKEND.search(key) and not _is_word(value):
            raise ValueError(f"{path}: {key} is {value!r}, which would be downloaded")


def _is_word(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else [value]
    return all(one is None or _NAME.fullmatch(str(one)) for one in inside)


def _walk(values: Any) -> Iterator[tuple[str, Any]]:
    """Every key of an object and of those inside it."""
    waiting = [values]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
