"""The records of the policy's stages: what is asked, what comes back, what it earned.

    Observation -> Prompt -> Completion -> (AnyAnswer, Outcome, Reward)

`Rollout` holds them all: it is the debug log, the input of the videos and of the
report, and a data set for supervised fine-tuning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.records import AnyAnswer, Outcome, Reward


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Prompt:
    """One question to the policy.

    Attributes:
        image: [H, W, 3] uint8 RGB, as the camera gave it.
        instruction: The task in words.
        waypoints: "2d", or "3d": waypoints are to have heights.
        asked: One of `envs.records.ASKED`: a whole plan, or one of its parts.
    """

    image: NDArray[np.uint8]
    instruction: str
    waypoints: str = "2d"
    asked: str = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled answer.

    Attributes:
        text: The decoded answer, special tokens left out.
        token_ids: The T sampled tokens, the end-of-text token included where sampled.
        logprobs: [T] float32 log-probability of each token at the sampling temperature.
        finished: Whether the policy ended it; False when the token limit cut it off.
    """

    text: str
    token_ids: tuple[int, ...]
    logprobs: NDArray[np.float32]
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One prompt answered once, executed and judged.

    Attributes:
        prompt: What was asked.
        completion: What the policy said.
        answer: What it meant, or why it meant nothing.
        outcome: What happened; None when nothing was executed, as parts of a plan are.
        reward: What it earned.
    """

    prompt: Prompt
    completion: Completion
    answer: AnyAnswer
    outcome: Outcome | None
    reward: Reward


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSpec:
    """Low-rank adapters on the linear layers of the language model.

    Attributes:
        rank: Rank of each adapter.
        alpha: Scale; an adapter's output is multiplied by alpha / rank.
        seed: Of the adapters' first weights.
    """

    rank: int = 64
    alpha: int = 128
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCount:
    """How much of a model trains.

    Attributes:
        group: "tower", "language", "embeddings" or "adapters".
        total: Parameters.
        trainable: Those that train.
        dtype: Of the parameters, e.g. "bfloat16".
        masters: Whether the optimizer steps float32 copies of them.
    """

    group: str
    total: int
    trainable: int
    dtype: str
    masters: bool
