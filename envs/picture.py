"""An annotated image: what a scene is to a policy, with nothing behind it to act in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envs.records import Question, Reference
from envs.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureConfig:
    """Where an annotated image is from.

    Attributes:
        name: That of all annotated images, as a scene has one.
        split: "train" or "test".
        seed: Chose it.
        item: Its name in its set.
        category: Its category in its set.
    """

    name: str
    split: str
    seed: int
    item: str
    category: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """An annotated image. Answers to it are compared, never executed.

    Attributes:
        config: Where it is from.
        observation: What the policy sees and is asked.
        reference: The annotation. Of what it lacks, box or path, nothing is asked.
    """

    config: PictureConfig
    observation: Question
    reference: Reference

    @property
    def name(self) -> str:
        """That of all annotated images."""
        return self.config.name

    @property
    def split(self) -> str:
        """One of "train" and "test"."""
        return self.config.split

    @property
    def seed(self) -> int:
        """The seed that chose it."""
        return self.config.seed

    @property
    def instruction(self) -> str:
        """The task in words."""
        return self.observation.instruction


AnyScene = Scene | Picture
"""What a policy can be asked about."""
