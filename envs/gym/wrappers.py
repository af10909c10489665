"""Wrappers: a limit of turns, and arrays in place of text."""

from __future__ import annotations

import re
import zlib
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from envs.answer import MAX_WAYPOINTS, MIN_WAYPOINTS, format_answer
from envs.records import Plan

VOCABULARY = 1024  # numbers of words; of the 129 of the library's scenes, 5 share one


class TurnLimit(gymnasium.Wrapper, RecordConstructorArgs):
    """Truncates an episode that has had its answers without success.

    Args:
        env: A `ManipulationEnv`.
        max_turns: Answers an episode.

    Raises:
        ValueError: No turn.
    """

    def __init__(self, env: gymnasium.Env, max_turns: int) -> None:
        if max_turns < 1:
            raise ValueError(f"max_turns={max_turns}: need a whole number >= 1")
        RecordConstructorArgs.__init__(self, max_turns=max_turns)
        gymnasium.Wrapper.__init__(self, env)
        self._max_turns = max_turns
        self._turn = 0

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Starts an episode at its first turn."""
        self._turn = 0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Takes a turn; `truncated` after the last one, unless it succeeds."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._turn += 1
        out_of_turns = not terminated and self._turn >= self._max_turns
        return observation, reward, terminated, truncated or out_of_turns, info


class ArrayAction(gymnasium.Wrapper, RecordConstructorArgs):
    """Arrays in place of text, for agents such as those of stable-baselines3.

    An action is [4 + 2 K] numbers x1, y1, x2, y2, u1, v1, ..., uK, vK in -1..1, from
    one edge of the image to the other. They are clipped to that range and swapped
    corners are sorted, as an array agent cannot be expected to keep them in order.

    An observation is the image. With `words` it is a dict of the image and the
    instruction, its words numbered from 1, alike in every process, 0 after the last.
    What else the environment observes stays in the dict.

    Args:
        env: An environment whose actions are answers.
        count: K, points of every path.
        words: How many words of the instruction to observe; 16 hold all of the
            library's. 0 leaves it out.

    Raises:
        ValueError: K is not one the answer grammar allows, or words are below 0.
    """

    def __init__(
        self, env: gymnasium.Env, count: int = MIN_WAYPOINTS, words: int = 0
    ) -> None:
        if not MIN_WAYPOINTS <= count <= MAX_WAYPOINTS:
            raise ValueError(
                f"count={count}: a path has {MIN_WAYPOINTS} to {MAX_WAYPOINTS} "
                "waypoints"
            )
        if words < 0:
            raise ValueError(f"words={words}: need a whole number >= 0")
        RecordConstructorArgs.__init__(self, count=count, words=words)
        gymnasium.Wrapper.__init__(self, env)
        self._words = words
        self.action_space = spaces.Box(-1, 1, (4 + 2 * count,), np.float32)
        assert isinstance(env.observation_space, spaces.Dict)
        inner = dict(env.observation_space.spaces)
        inner["instruction"] = spaces.MultiDiscrete([VOCABULARY] * words)
        self.observation_space = self._choose(inner, spaces.Dict)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Starts an episode; see `ManipulationEnv.reset`."""
        observation, info = self.env.reset(**kwargs)
        return self._observe(observation), info

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Executes the plan of an array."""
        observation, reward, done, cut, info = self.env.step(self.action(action))
        return self._observe(observation), reward, done, cut, info

    def action(self, action: NDArray[np.float32]) -> str:
        """The text of an array.

        Raises:
            ValueError: Another shape, or NaN.
        """
        values = np.asarray(action, float)
        shape = self.action_space.shape
        if values.shape != shape or np.isnan(values).any():
            raise ValueError(f"action {values}: need {shape} numbers, none of them NaN")
        values = (np.clip(values, -1, 1) + 1) / 2
        corners = np.sort(values[:4].reshape(2, 2), axis=0)
        x1, y1, x2, y2 = corners.ravel().tolist()
        path = tuple((u, v) for u, v in values[4:].reshape(-1, 2).tolist())
        return format_answer(Plan(box=(x1, y1, x2, y2), waypoints=path))

    def _observe(self, observation: dict[str, Any]) -> Any:
        words = number_words(observation["instruction"], self._words)
        return self._choose({**observation, "instruction": words}, dict)

    def _choose(self, parts: dict[str, Any], several: type) -> Any:
        """What the agent sees of the parts of an observation or of its space."""
        seen = {k: v for k, v in parts.items() if self._words or k != "instruction"}
        return several(seen) if len(seen) > 1 else seen["image"]


def number_words(text: str, count: int) -> NDArray[np.int64]:
    """[count] numbers of a text's first words, 0 after the last."""
    words = re.findall(r"\w+", text.lower())[:count]
    numbers = [1 + zlib.crc32(word.encode()) % (VOCABULARY - 1) for word in words]
    return np.array(numbers + [0] * (count - len(words)), np.int64)
