"""The scenes' names in Gymnasium, and how its environments are made from them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from envs import registry
from envs.factors import check_choice
from envs.gym_env import ManipulationEnv
from envs.wrappers import TurnLimit


def build_env(scene: str, max_turns: int = 1, **kwargs: Any) -> gymnasium.Env:
    """The environment that `gymnasium.make` returns: a scene with a limit of turns.

    The limit is a wrapper, as Gymnasium's own is: its checker takes an environment that
    truncates its first step for broken.

    Args:
        scene: A registered scene.
        max_turns: Answers an episode; more than 1 closes the loop.
        **kwargs: Of `ManipulationEnv`.
    """
    return TurnLimit(ManipulationEnv(scene, **kwargs), max_turns)


def register_scene(name: str) -> Callable[[type], type]:
    """Class decorator: makes a `Task` a scene, and `graspo/<Name>-v0` its environment.

    Raises:
        ValueError: If another class holds the name.
    """

    def register(task: type) -> type:
        registry.register_scene(name)(task)
        register_env(name)
        return task

    return register


def register_env(scene: str) -> None:
    """Makes a registered scene known to `gymnasium.make`; again is no harm."""
    if name_env(scene) not in gymnasium.registry:
        gymnasium.register(
            id=name_env(scene),
            entry_point="envs.gym_registry:build_env",
            vector_entry_point="envs.gym_registry:make_vec",
            kwargs={"scene": scene},
        )


def register_all() -> None:
    """Makes every scene registered so far known to `gymnasium.make`."""
    for scene in registry.list_scenes():
        register_env(scene)


def name_env(scene: str) -> str:
    """The environment's id: "pick_mug" is "graspo/PickMug-v0"."""
    words = re.split(r"[^0-9a-zA-Z]+", scene)
    camel = "".join(word[:1].upper() + word[1:] for word in words)
    return f"graspo/{camel}-v0"


def make_vec(scene: str, num_envs: int = 1, **kwargs: Any) -> AsyncVectorEnv:
    """Environments in processes of their own.

    Gymnasium's defaults do not fit: texts in shared memory come back as garbage, and
    the next-step autoreset spends every second step of one-step episodes on a reset.
    Processes are spawned, because a forked one cannot use its parent's GL context; so a
    script needs the usual `if __name__ == "__main__":`.

    Args:
        scene: A registered scene.
        num_envs: Processes.
        **kwargs: Of `build_env`; they must be picklable.
    """
    check_choice("env", scene, registry.list_scenes())
    build = partial(_build_worker, scene, registry.get_task(scene), kwargs)
    return AsyncVectorEnv(
        [build] * num_envs,
        shared_memory=False,
        context="spawn",
        autoreset_mode=AutoresetMode.SAME_STEP,
    )


def _build_worker(scene: str, task: type, kwargs: dict[str, Any]) -> gymnasium.Env:
    """Makes an environment in a process that may not know the user's own scene yet."""
    if scene not in registry.list_scenes():
        register_scene(scene)(task)
    return gymnasium.make(name_env(scene), **kwargs)
