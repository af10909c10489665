"""What a policy directory adds to a plain Hugging Face directory: `graspo.json`.

It says how the policy is asked and in which coordinates it answers. A directory
without the file gets the conventions of its model family.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from policy.prompt import STYLES

FILE_NAME = "graspo.json"
COORDINATES = ("normalized", "pixels")
_PIXEL_FAMILIES = ("qwen2_5_vl",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to talk to a policy.

    Attributes:
        prompt_style: One of `policy.prompt.STYLES`.
        coordinates: `normalized` (0..1000 over width and height) or `pixels` (absolute
            pixels of the image as resized for the model).
    """

    prompt_style: str = "paper"
    coordinates: str = "normalized"

    def __post_init__(self) -> None:
        """Refuse unknown names."""
        for name, choices in (("prompt_style", STYLES), ("coordinates", COORDINATES)):
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"{name} is {value!r}; choose one of {choices}")


def get_family_settings(model_type: str) -> Settings:
    """Returns the conventions of a model family, e.g. "qwen3_vl"."""
    pixels = model_type in _PIXEL_FAMILIES
    return Settings(coordinates="pixels" if pixels else "normalized")


def load_settings(directory: Path, model_type: str) -> Settings:
    """Returns a directory's settings, those of its family where it has none.

    Raises:
        ValueError: If the file cannot be read or holds an unknown key or value.
    """
    path = directory / FILE_NAME
    if not path.is_file():
        return get_family_settings(model_type)
    try:
        values = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    known = {field.name for field in fields(Settings)}
    if not isinstance(values, dict) or not set(values) <= known:
        raise ValueError(f"{path} holds {values!r}; its keys may be {sorted(known)}")
    try:
        return Settings(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def save_settings(directory: Path, settings: Settings) -> None:
    """Writes `graspo.json` into a policy directory."""
    (directory / FILE_NAME).write_text(json.dumps(asdict(settings), indent=2) + "\n")
