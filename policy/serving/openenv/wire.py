"""What goes over the wire: an answer there, what is seen, what came of it back."""

# OpenEnv is an extra, which those who check the types need not have.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

from openenv.core.env_server.types import Action, Observation, State
from pydantic import Field

MAX_TEXT = 2**16  # characters of an answer; the longest sound one takes a hundredth


class Said(Action):
    """One answer."""

    text: str = Field(max_length=MAX_TEXT, description="The policy's whole answer")


class Seen(Observation):
    """What the policy sees and is asked, and what came of its last answer."""

    image: str = Field(description="PNG, base64")
    instruction: str = Field(description="The task in words")
    prompt: str = Field(
        description="The instruction with the format of the answer, for a model that "
        "does not know it"
    )
    success: bool = Field(default=False, description="Whether the task is done")
    reason: str = Field(default="", description="Why the last answer failed")
    terms: dict[str, float] = Field(
        default_factory=dict, description="Terms of the reward by name, each 0..1"
    )


class Progress(State):
    """How far an episode is."""

    env: str = Field(description="The scene's name")
    scene: dict[str, Any] | None = Field(
        default=None, description="What the scene is made from; None before a reset"
    )
    instruction: str = Field(default="", description="The task in words")
    done: bool = Field(default=False, description="Whether the episode is over")
    success: bool = Field(default=False, description="Whether the task is done")
