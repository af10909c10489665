"""What one person does at one page: a scene, answered turn after turn."""

from __future__ import annotations

from envs.records import Plan
from envs.rollout import Rollout
from envs.scene import Scene, SceneConfig
from policy.playground.attempt import Attempt
from policy.playground.engine import Engine
from policy.playground.saving import Saver


class Session:
    """A scene and the answers to it.

    Attributes:
        max_turns: Answers to a scene that count as one episode.
        scene: What is asked now; None before `load`.
        attempt: The last one at it; None if there is none yet.
        turn: Which question of the episode it is, from 1.
    """

    def __init__(self, engine: Engine, saver: Saver, max_turns: int) -> None:
        self._engine, self._saver = engine, saver
        self.max_turns = max_turns
        self.scene: Scene | None = None
        self.attempt: Attempt | None = None
        self._episode: list[tuple[str, Rollout]] = []
        self._key = object()

    @property
    def turn(self) -> int:
        """Which question of the episode it is, from 1."""
        return len(self._episode) + (self.attempt is None)

    @property
    def can_go_on(self) -> bool:
        """Whether the last attempt failed and another is allowed."""
        failed = self.attempt is not None and not self.attempt.outcome.success
        return failed and self.turn < self.max_turns

    @property
    def judged_as(self) -> str:
        """What counts, where the words are none that the scene knows; else ""."""
        scene = self.get_scene()
        known = scene.goal.instruction
        return "" if scene.instruction == known else known

    def get_scene(self) -> Scene:
        """Returns what is asked now.

        Raises:
            ValueError: No scene could be made yet.
        """
        if self.scene is None:
            raise ValueError("there is no scene yet: choose another seed or camera")
        return self.scene

    async def load(self, config: SceneConfig) -> Scene:
        """Starts with a scene."""
        self.scene = await self._engine.make_scene(config)
        self._forget()
        return self.scene

    async def ask(self, instruction: str) -> Scene:
        """Asks in other words; after an attempt the scene is as it was before it."""
        self.scene = await self._engine.ask(self.get_scene(), instruction)
        return self.scene

    async def answer(self, policy: str) -> str:
        """Returns what a policy says."""
        return await self._engine.answer(policy, self.get_scene())

    async def execute(self, text: str, by: str) -> str:
        """Executes a text; again replaces the last attempt of this turn.

        Returns:
            The id of the film, "" where nothing moved.
        """
        scene = self.get_scene()
        done = await self._engine.execute(scene, text)
        if self.attempt is not None:
            self._episode.pop()
        self.attempt = done
        self._episode.append((by, done.to_rollout(scene)))
        if done.moved and isinstance(done.answer, Plan):
            return self._engine.films.order(scene, done.answer)
        return ""

    async def try_again(self) -> Scene:
        """Goes on from where the last attempt left the scene."""
        if self.attempt is None:
            return self.get_scene()
        answer = self.attempt.answer
        self.scene = await self._engine.follow_up(self.get_scene(), answer)
        self.attempt = None
        return self.scene

    def save(self) -> int:
        """Saves the attempts so far; returns how many."""
        by, rollouts = zip(*self._episode, strict=True) if self._episode else ((), ())
        self._saver.save(self._key, by, rollouts)
        return len(rollouts)

    def _forget(self) -> None:
        self.attempt, self._key = None, object()
        self._episode.clear()
