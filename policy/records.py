"""The records of the policy's stages: what is asked, what comes back, how it compares.

    Observation -> Prompt -> Completion -> Rollout -> Group

What a policy says and what comes of it, `Completion` and `Rollout`, are records of
`envs`, since films show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.answer import Codec
from envs.records import Completion
from envs.rollout import Rollout
from envs.scene import AnyScene

__all__ = ["Completion", "Group", "GroupCount", "LoraSpec", "Prompt", "Rollout", "Said"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Prompt:
    """One question to the policy.

    Attributes:
        image: [H, W, 3] uint8 RGB, as the camera gave it.
        instruction: The task in words.
        waypoints: "2d", or "3d": waypoints are to have heights.
        answer: One of `envs.records.ANSWERS`: a whole plan is wanted, or a part of it.
        knowledge: A sentence beside the instruction (`policy.knowledge`), "" for none.
    """

    image: NDArray[np.uint8]
    instruction: str
    waypoints: str = "2d"
    answer: str = "plan"
    knowledge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """What a policy said to one of several scenes.

    Attributes:
        place: Which of the scenes.
        prompt: What it was asked.
        completions: Its answers.
        codec: The coordinates in which they are written.
    """

    place: int
    prompt: Prompt
    completions: Sequence[Completion]
    codec: Codec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """One scene, answered G times.

    Attributes:
        prompt: What was asked.
        rollouts: G rollouts of the scene, all from the same snapshot.
        turn: Which of its episode, 1 for the first.
    """

    prompt: Prompt
    rollouts: tuple[Rollout, ...]
    turn: int = 1

    @property
    def scene(self) -> AnyScene:
        """The scene, or the annotated image."""
        return self.rollouts[0].scene


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSpec:
    """Low-rank adapters on the linear layers of the language model.

    Attributes:
        rank: Rank of each adapter.
        alpha: Scale; an adapter's output is multiplied by alpha / rank.
        seed: Seeds the adapters' first weights.
    """

    rank: int = 64
    alpha: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rank", "alpha"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"lora.{name} is {getattr(self, name)}; at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCount:
    """How much of a model trains.

    Attributes:
        group: "tower", "language", "embeddings" or "adapters".
        total: Parameters.
        trainable: Those that train.
        dtype: The parameters' type, e.g. "bfloat16".
        masters: Whether the optimizer steps float32 copies of them.
    """

    group: str
    total: int
    trainable: int
    dtype: str
    masters: bool
