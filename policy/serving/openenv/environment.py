"""A scene's Gymnasium environment as one of OpenEnv: same seed, same episode."""

# OpenEnv is an extra, which those who check the types need not have.
# pyright: reportMissingImports=false

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gymnasium
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata

from policy.data.images import encode_png
from policy.model.prompt import build_prompt, format_words
from policy.serving.openenv.simulators import Simulators
from policy.serving.openenv.wire import Progress, Said, Seen

Make = Callable[[], gymnasium.Env]


class SceneEnvironment(Environment[Said, Seen, Progress]):
    """One session's environment.

    A simulator is taken by the first reset and kept until the session ends.

    Args:
        make: Makes the environment; called in the simulator's thread.
        name: The scene's.
        simulators: Who simulates.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, make: Make, name: str, simulators: Simulators) -> None:
        super().__init__()
        self._make, self._name, self._simulators = make, name, simulators
        self._thread: ThreadPoolExecutor | None = None
        self._env: Any = None
        self._closed = False
        self._progress = Progress(env=name)

    @property
    def state(self) -> Progress:
        """How far the episode is."""
        return self._progress

    def get_metadata(self) -> EnvironmentMetadata:
        """What the environment is, for lists of environments."""
        return EnvironmentMetadata(
            name=f"graspo_{self._name}",
            description="A robot arm carries out an answer in text to an image and an "
            f"instruction: where to touch and where to go; scene {self._name}.",
        )

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> Seen:
        """Starts an episode; equal seeds start equal ones.

        Args:
            seed: As of the Gymnasium environment; None draws one.
            episode_id: Kept in `state`.

        Raises:
            ValueError: A seed that is none, or the session is over.
            BusyError: No simulator is free.
        """
        if self._closed:
            raise ValueError("this session was idle for too long: connect again")
        if not (seed is None or (type(seed) is int and seed >= 0)):
            raise ValueError(f"seed is {seed!r}; a whole number from 0 is needed")
        if self._thread is None:
            self._thread = self._simulators.take()
        return self._thread.submit(self._reset, seed, episode_id).result()

    def step(self, action: Said, timeout_s: float | None = None, **_: Any) -> Seen:
        """Executes an answer to its end, which takes a second at most.

        Args:
            action: The answer; any text.
            timeout_s: Not looked at.

        Raises:
            ValueError: No episode has begun, or it is over.
        """
        if self._thread is None or self._env is None:
            raise ValueError(
                "no episode has begun in this session: reset first. A session is a web "
                "socket (/ws), and each HTTP request is one of its own"
            )
        if self._progress.done:
            raise ValueError("the episode is over: reset begins the next")
        return self._thread.submit(self._step, action.text).result()

    def close(self) -> None:
        """Ends the session and sets its simulator free."""
        self._closed, thread, self._thread = True, self._thread, None
        if thread is None:
            return
        try:
            if self._env is not None:
                thread.submit(self._env.close).result()
        finally:
            self._env = None
            self._simulators.give_back(thread)

    def _reset(self, seed: int | None, episode_id: str | None) -> Seen:
        if self._env is None:
            self._env = self._make()
        self._env.reset(seed=seed)
        scene = self._env.unwrapped.scene
        self._progress = Progress(
            episode_id=episode_id,
            env=self._name,
            scene=scene.config.to_dict(),
            instruction=scene.instruction,
        )
        return self._look()

    def _step(self, text: str) -> Seen:
        _, reward, terminated, truncated, info = self._env.step(text)
        self._progress.step_count += 1
        self._progress.done = terminated or truncated
        self._progress.success = info["success"]
        return self._look(
            reward=reward,
            done=self._progress.done,
            success=info["success"],
            reason=info["failure_reason"],
            terms=info["reward_terms"],
        )

    def _look(self, **more: Any) -> Seen:
        seen = self._env.unwrapped.scene.observation
        return Seen(
            image=base64.b64encode(encode_png(seen.image)).decode(),
            instruction=seen.instruction,
            prompt=format_words(build_prompt(seen), "paper"),
            **more,
        )
