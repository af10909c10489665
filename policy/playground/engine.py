"""What the page and the JSON interface both do: scenes, answers, attempts, films."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from envs.records import UNTOLD, AnyAnswer, Plan
from envs.sampling.asking import ask
from envs.sampling.sample import sample_scene
from envs.sampling.turns import follow_up
from envs.scene import Scene, SceneConfig
from policy.playground.attempt import Attempt, attempt
from policy.playground.films import FilmStore, make_film
from policy.playground.policies import Policies
from policy.playground.queue import WorkQueue
from rewards import RewardMix

KEPT = 32  # scenes, of a megabyte each


@dataclass(slots=True, kw_only=True, eq=False)
class Engine:
    """Makes scenes, executes and films; all of it in other processes.

    Attributes:
        queue: Those processes.
        policies: What answers beside people.
        mix: What is rewarded.
        knowledge: What policies are told beside the instruction (`policy.knowledge`).
        films: Films of what was executed.
    """

    queue: WorkQueue
    policies: Policies
    mix: RewardMix
    knowledge: str = UNTOLD
    films: FilmStore = field(default_factory=FilmStore)
    _scenes: OrderedDict[str, Scene] = field(default_factory=OrderedDict)
    _filming: dict[str, asyncio.Task[bytes]] = field(default_factory=dict)

    async def make_scene(self, config: SceneConfig, instruction: str = "") -> Scene:
        """Returns a scene, asked in other words if there are any.

        Raises:
            RuntimeError: The scene cannot be made as it is wanted.
            BusyError: See `WorkQueue.run`.
        """
        config = replace(config, knowledge=self.knowledge)
        key = json.dumps(config.to_dict())
        if key not in self._scenes:
            self._scenes[key] = await self.queue.run(sample_scene, config)
            if len(self._scenes) > KEPT:
                self._scenes.popitem(last=False)
        scene = self._scenes[key]
        return await self.ask(scene, instruction) if instruction else scene

    async def ask(self, scene: Scene, instruction: str) -> Scene:
        """Returns a scene asked in other words; see `envs.sampling.asking`."""
        if instruction == scene.instruction:
            return scene
        return await self.queue.run(ask, scene, instruction)

    async def execute(self, scene: Scene, text: str) -> Attempt:
        """Executes and judges a text."""
        return await self.queue.run(attempt, scene, text, self.mix)

    async def answer(self, policy: str, scene: Scene) -> str:
        """Returns what a policy says of a scene; see `Policies.answer`."""
        return await self.policies.answer(policy, scene)

    async def follow_up(self, scene: Scene, answer: AnyAnswer) -> Scene:
        """Returns the scene as a failed answer leaves it."""
        return await self.queue.run(follow_up, scene, answer)

    async def film(self, name: str) -> bytes | None:
        """Returns a film, made now if it was not; None for an unknown id."""
        if (made := self.films.get(name)) is not None:
            return made
        shown = self.films.find(name)
        if shown is None:
            return None
        if name not in self._filming:  # a player asks for several parts at once
            task = asyncio.create_task(self._make_film(name, *shown))
            task.add_done_callback(lambda _: self._filming.pop(name))
            self._filming[name] = task
        return await asyncio.shield(self._filming[name])

    async def _make_film(self, name: str, scene: Scene, plan: Plan) -> bytes:
        made = await self.queue.run(make_film, scene, plan)
        self.films.put(name, made)
        return made
