"""The records of the policy's stages: what is asked, what comes back, what it earned.

    Observation -> Prompt -> Completion -> (Plan | ParseFailure, Outcome, Reward)

`Rollout` holds them all: it is the debug log, the input of the videos and of the
report, and a data set for supervised fine-tuning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.records import Outcome, ParseFailure, Plan, Reward


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question to the policy.

    Attributes:
        image: [H, W, 3] uint8 RGB, as the camera gave it.
        instruction: The task in words.
        waypoints: "2d", or "3d": waypoints are to have heights.
    """

    image: NDArray[np.uint8]
    instruction: str
    waypoints: str = "2d"


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
        outcome: What happened; None when nothing was executed.
        reward: What it earned.
    """

    prompt: Prompt
    completion: Completion
    answer: Plan | ParseFailure
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
class PartCount:
    """How much of a model trains.

    Attributes:
        part: "language" or "tower".
        total: Parameters, adapters included.
        trainable: Those that train.
    """

    part: str
    total: int
    trainable: int
