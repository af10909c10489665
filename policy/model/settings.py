"""What a policy directory adds to a plain Hugging Face directory: `graspo.json`.

It says how the policy is asked and in which coordinates it answers. Without the file
the coordinates are those of the model family.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from policy.model.origin.files import read_json
from policy.model.prompt import STYLES

FILE_NAME = "graspo.json"
COORDINATES = ("normalized", "pixels")
_FAMILIES = {
    "qwen2_vl": "normalized",
    "qwen2_5_vl": "pixels",
    "qwen3_vl": "normalized",
    "qwen3_vl_moe": "normalized",
    "smolvlm": "normalized",
}
"""What a family was pretrained with; for SmolVLM, which knows no boxes, our choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to talk to a policy.

    Attributes:
        prompt_style: One of `policy.model.prompt.STYLES`.
        coordinates: `normalized` (0..1000 over width and height) or `pixels` (absolute
            pixels of the image as resized for the model).
        blind: Shown grey instead of the image: a baseline for what can be had unseen.
    """

    prompt_style: str = "paper"
    coordinates: str = "normalized"
    blind: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown names and values."""
        for name, choices in (("prompt_style", STYLES), ("coordinates", COORDINATES)):
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"{name} is {value!r}; choose one of {choices}")
        if not isinstance(self.blind, bool):
            raise ValueError(f"blind is {self.blind!r}; choose true or false")


def get_family_settings(model_type: str) -> Settings:
    """Returns the conventions of a model family, e.g. "qwen3_vl".

    Raises:
        ValueError: If the family's coordinates are not known.
    """
    if model_type not in _FAMILIES:
        raise ValueError(
            f"in which coordinates model_type {model_type!r} answers is not known, "
            f"only of {', '.join(_FAMILIES)}: set policy.coordinates to normalized "
            "(0..1000 of the image) or pixels (of the image as resized), or write "
            f"{FILE_NAME}"
        )
    return Settings(coordinates=_FAMILIES[model_type])


def load_settings(
    directory: Path, model_type: str, coordinates: str | None = None
) -> Settings:
    """Returns a directory's settings; what it leaves open is as its family has it.

    Args:
        directory: The policy's directory.
        model_type: Its family.
        coordinates: In place of the directory's and the family's own.

    Raises:
        ValueError: If the file cannot be read or holds an unknown key or value, or the
            coordinates are not known.
    """
    path = directory / FILE_NAME
    values = _read(path) if path.is_file() else {}
    if coordinates is not None:
        values["coordinates"] = coordinates
    if "coordinates" not in values:
        values["coordinates"] = get_family_settings(model_type).coordinates
    try:
        return Settings(**values)
    except ValueError as error:
        raise ValueError(f"{path if path.is_file() else directory}: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    values = read_json(path)
    known = {field.name for field in fields(Settings)}
    if not set(values) <= known:
        raise ValueError(f"{path} holds {values!r}; its keys may be {sorted(known)}")
    return values


def save_settings(directory: Path, settings: Settings) -> None:
    """Writes `graspo.json` into a policy directory."""
    (directory / FILE_NAME).write_text(json.dumps(asdict(settings), indent=2) + "\n")
