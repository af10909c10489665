"""From a name, a path or a hub id to a policy, with errors that say what is wrong."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForImageTextToText,
    PretrainedConfig,
    __version__,
)
from transformers.utils import logging

from envs.randomization.factors import check_choice
from policy.home import HOME, find
from policy.model.origin.bounds import bounded
from policy.model.origin.extent import check_extent
from policy.model.origin.files import check_directory, read_json
from policy.model.origin.hub import download
from policy.model.origin.refusals import REFUSALS, describe
from policy.model.processing import Processor
from policy.model.settings import load_settings
from policy.model.stock import load_stock_processor, read_files
from policy.model.trainable import PARTS
from policy.model.vlm import VLM
from policy.records import LoraSpec

UNFIT = {
    "diffusion_gemma": "writes blocks by diffusion, not token by token",
    "evolla": "reads proteins, not images",
    "idefics": "needs its image again for every token",
    "pi0": "answers with motions, not with text",
    "shieldgemma2": "says whether an image is harmful, and nothing else",
}
"""Listed as image-text-to-text models, and why they cannot be policies."""
_DTYPES = ("float32", "bfloat16", "float16")


def load(
    name_or_path: str | Path,
    *,
    lora: LoraSpec | None = None,
    dtype: str = "float32",
    device: str = "auto",
    trainable: Sequence[str] = PARTS,
    keep_reference: bool = False,
    coordinates: str | None = None,
    gradient_checkpointing: bool = False,
) -> VLM:
    """Loads a policy.

    Args:
        name_or_path: A short name (a file of conf/policy), a Hugging Face directory or
            a hub id ("owner/name") of an image-text-to-text model.
        lora: Train low-rank adapters on the language layers, everything else frozen.
        dtype: float32, bfloat16 or float16, for the weights; adapters are float32.
        device: A torch device, or "auto" for a GPU where there is one.
        trainable: Without `lora`: the parts to train, of "language" and "tower".
        keep_reference: Without `lora`: keep a frozen copy for `VLM.reference`.
        coordinates: "normalized" or "pixels" instead of the policy's own.
        gradient_checkpointing: Compute what is inside the language layers again for the
            gradient instead of keeping it.

    Raises:
        ValueError: If the name is unknown or the directory damaged.
        FileNotFoundError: If files are missing; names each.
    """
    check_choice("dtype", dtype, _DTYPES)
    logging.disable_progress_bar()  # for weights; it would break into ours
    directory = find_directory(name_or_path)
    check_directory(directory)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    config = read_config(directory)
    processor = _read_processor(directory, config, coordinates)
    model: Any = _load_model(directory, config, dtype)
    return VLM(
        model.to(device),
        processor,
        lora=lora,
        trainable=trainable,
        keep_reference=keep_reference,
        gradient_checkpointing=gradient_checkpointing,
    )


def load_processor(
    name_or_path: str | Path, *, coordinates: str | None = None
) -> Processor:
    """Loads what a policy is asked with, without its weights; see `load`."""
    directory = find_directory(name_or_path)
    check_directory(directory)
    config = read_config(directory)
    return _read_processor(directory, config, coordinates)


def list_names() -> dict[str, str]:
    """Returns the short names of models and where each is found."""
    files = sorted((HOME / "conf" / "policy").glob("*.yaml"))
    paths = {file.stem: yaml.safe_load(file.read_text())["path"] for file in files}
    return {name: path for name, path in paths.items() if "/" in path}


def find_directory(name_or_path: str | Path) -> Path:
    """Returns the local directory of a policy; a hub id is downloaded first.

    Raises:
        ValueError: If there is no such name or hub id.
        FileNotFoundError: If it is a path and does not exist.
    """
    names = list_names()
    target = names.get(str(name_or_path), str(name_or_path))
    place = find(target)
    if place.is_dir():
        return place
    if "/" in target and find(place.parent).is_dir():
        raise FileNotFoundError(f"policy directory {target} does not exist")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", target):
        raise ValueError(
            f"unknown policy {target!r}; choose one of {', '.join(names)}, an existing "
            "directory, or a hub id (owner/name)"
        )
    return download(target)


def _read_processor(
    directory: Path, config: PretrainedConfig, coordinates: str | None
) -> Processor:
    settings = load_settings(directory, config.model_type, coordinates)
    # Beside the main thread others work, and a process that starts keeps its bound.
    alone = threading.current_thread() is threading.main_thread()
    with bounded(f"the processor or chat template of {directory}", memory=alone):
        stock = load_stock_processor(directory, config)
        return Processor(stock, settings, read_files(directory))


def read_config(directory: Path) -> PretrainedConfig:
    """Returns a model's configuration.

    Raises:
        ValueError: If it is not of a decoder that takes images and text; says why.
    """
    file = directory / "config.json"
    if (said := read_json(file)["model_type"]) not in CONFIG_MAPPING:
        raise ValueError(
            f"{file}: model_type {said!r} is unknown to transformers {__version__}; "
            "code that comes with a model is never run"
        )
    try:
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    except REFUSALS as error:
        raise ValueError(f"{file}: {describe(error)}") from error
    name = config.model_type
    kind = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING.get(type(config), None)
    if kind is None:
        why = "is not an image-text-to-text model, as policy= needs"
    elif name in UNFIT:
        why = UNFIT[name]
    elif _has_encoder(config) or _has_encoder(config.get_text_config()):
        why = "has an encoder for the prompt; only decoders are trained"
    elif not _goes_on(kind):
        why = "needs its image again for every token"
    else:
        return config
    raise ValueError(
        f"{directory}: model_type {name!r} {why}; choose another model, for one of "
        "conf/policy"
    )


def _has_encoder(config: PretrainedConfig) -> bool:
    return getattr(config, "is_encoder_decoder", False)


def _goes_on(kind: Any) -> bool:
    """Whether a class of models goes on from a prompt by words alone."""
    image = inspect.signature(kind.forward).parameters.get("pixel_values")
    return image is None or image.default is not inspect.Parameter.empty


def _load_model(directory: Path, config: PretrainedConfig, dtype: str) -> Any:
    """Loads weights; a missing or misshapen one is an error, not a random one."""
    check_extent(directory, config)
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            directory,
            config=config,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except SafetensorError as error:
        raise ValueError(f"weights of {directory} are damaged: {error}") from error
    except REFUSALS as error:
        raise ValueError(
            f"the model of {directory} cannot be built; {describe(error)}"
        ) from error
    model, info = loaded
    wrong = sorted(info["missing_keys"]) + [str(k) for k in info["mismatched_keys"]]
    if wrong:
        raise ValueError(
            f"weights of {directory} do not fit its config.json: {len(wrong)} missing "
            f"or of another shape, first {wrong[0]}"
        )
    return model
