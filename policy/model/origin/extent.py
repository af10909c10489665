"""A model is as large as its weights: what its configuration says is checked first.

A million layers, or one of a terabyte, would be built and filled with random numbers
before they were found not to be in the files.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    PretrainedConfig,
    PreTrainedModel,
)

from policy.model.origin.bounds import ExcessError, bounded
from policy.model.origin.refusals import REFUSALS, describe

ROOM = 16  # times the numbers on disk: eight of four bits are one there
BUFFERS = 2**28  # numbers that models keep beside their weights, masks for one
_LENGTH = 8  # bytes of a safetensors file that say how long its header is
_LONGEST = 100_000_000  # bytes of a header, for safetensors, too


def check_extent(directory: Path, config: PretrainedConfig) -> None:
    """Builds a model without memory and compares it with what its files hold.

    Args:
        directory: Where the weights are.
        config: The configuration of an image-text-to-text model.

    Raises:
        ExcessError: It is larger than its files, or takes too long to build.
        ValueError: No model can be built of it.
    """
    file = directory / "config.json"
    model = _build_empty(file, config)
    held = sum(map(count_numbers, directory.glob("*.safetensors")))
    wanted = sum(one.numel() for one in model.parameters())
    beside = sum(one.numel() for one in model.buffers())
    if wanted > ROOM * held or beside > ROOM * held + BUFFERS:
        raise ExcessError(
            f"{file} describes a model of {max(wanted, beside):.3g} numbers, but the "
            f"weights beside it are {held:.3g}"
        )


def _build_empty(file: Path, config: PretrainedConfig) -> PreTrainedModel:
    kind: Any = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)]
    try:
        with bounded(f"the model of {file}", memory=False), torch.device("meta"):
            return kind(config)
    except ExcessError:
        raise
    except REFUSALS as error:
        raise ValueError(
            f"the model of {file} cannot be built; {describe(error)}"
        ) from error


def count_numbers(path: Path) -> int:
    """Returns how many numbers a safetensors file holds, by its header.

    Raises:
        ValueError: It has none that can be read.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            header = json.loads(file.read(min(length, _LONGEST)))
        shapes = [e["shape"] for name, e in header.items() if name != "__metadata__"]
        return sum(math.prod(shape) for shape in shapes)
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise ValueError(f"weights of {path} are damaged: no header") from error
