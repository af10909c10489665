"""Wrappers: a limit of turns, and arrays in place of text."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.answer import MAX_WAYPOINTS, MIN_WAYPOINTS, format_answer
from envs.records import Plan


class TurnLimit(gymnasium.Wrapper):
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
        super().__init__(env)
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


class ArrayAction(gymnasium.ActionWrapper[dict[str, Any], NDArray[np.float32], str]):
    """Takes a plan as a flat array of image units: box corners, then waypoints.

    An action is [4 + 2 K] numbers x1, y1, x2, y2, u1, v1, ..., uK, vK in 0..1. They are
    clipped to 0..1 and swapped corners are sorted, as an array agent cannot be expected
    to keep them in order.

    Args:
        env: An environment whose actions are answers.
        count: K, points of every path.

    Raises:
        ValueError: K is not one the answer grammar allows.
    """

    def __init__(self, env: gymnasium.Env, count: int = MIN_WAYPOINTS) -> None:
        super().__init__(env)
        if not MIN_WAYPOINTS <= count <= MAX_WAYPOINTS:
            raise ValueError(
                f"count={count}: a path has {MIN_WAYPOINTS} to {MAX_WAYPOINTS} "
                "waypoints"
            )
        self.action_space = spaces.Box(0, 1, (4 + 2 * count,), np.float32)

    def action(self, action: NDArray[np.float32]) -> str:
        """The text of an array.

        Raises:
            ValueError: Another shape, or NaN.
        """
        values = np.asarray(action, float)
        shape = self.action_space.shape
        if values.shape != shape or np.isnan(values).any():
            raise ValueError(f"action {values}: need {shape} numbers, none of them NaN")
        values = np.clip(values, 0, 1)
        corners = np.sort(values[:4].reshape(2, 2), axis=0)
        points = values[4:].reshape(-1, 2)
        x1, y1, x2, y2 = corners.ravel().tolist()
        path = tuple((float(u), float(v)) for u, v in points)
        return format_answer(Plan(box=(x1, y1, x2, y2), waypoints=path))
