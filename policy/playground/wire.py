"""What the JSON interface takes and gives, checked before anything else sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from envs.meshes.cover import PRIMITIVE
from envs.robot import DEFAULT
from envs.scene import Scene, SceneConfig

MAX_TEXT = 20_000  # characters of an answer
MAX_WORDS = 500  # characters of an instruction
MAX_SEED = 2**53 - 1  # what JavaScript can count to

Name = Annotated[str, Field(max_length=100)]
Words = Annotated[str, Field(max_length=MAX_WORDS)]


class Question(BaseModel):
    """Which scene, and in which words."""

    model_config = ConfigDict(extra="forbid", strict=False)

    env: Name
    split: Name = "test"
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    shifts: Annotated[list[Name], Field(max_length=16)] = Field(default_factory=list)
    azimuth: float | None = None
    elevation: float | None = None
    distance: float | None = None
    fovy: float | None = None
    robot: Name = DEFAULT
    look: Name = PRIMITIVE
    instruction: Words = ""

    def to_config(self) -> SceneConfig:
        """What the scene is made from.

        Raises:
            ValueError: A value that cannot be; the message names it and the valid ones.
        """
        camera = {
            name: value
            for name in ("azimuth", "elevation", "distance", "fovy")
            if (value := getattr(self, name)) is not None
        }
        return SceneConfig(
            name=self.env,
            split=self.split,
            seed=self.seed,
            shifts=tuple(self.shifts),
            camera=camera,
            robot=self.robot,
            look=self.look,
        )


class Execute(Question):
    """A text to execute."""

    text: Annotated[str, Field(max_length=MAX_TEXT)]


class Ask(Question):
    """A policy to ask."""

    policy: Name


def describe_question(scene: Scene) -> dict[str, Any]:
    """Returns what a scene was made from, and what it asks."""
    return {
        "env": scene.name,
        "split": scene.split,
        "seed": scene.seed,
        "robot": scene.config.robot,
        "instruction": scene.instruction,
    }


def describe_mistake(errors: Sequence[Any]) -> str:
    """Returns the first of pydantic's errors as a sentence."""
    first = errors[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "query")]
    name = ".".join(where) or "the request"
    said = first["msg"][:1].lower() + first["msg"][1:]
    if first["type"] in ("missing", "json_invalid", "extra_forbidden"):
        return f"{name}: {said}"
    return f"{name} is {_shorten(first.get('input'))}: {said}"


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
