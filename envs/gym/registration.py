"""How Gymnasium makes environments of the registered scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from envs import registry
from envs.gym.env import ManipulationEnv
from envs.gym.wrappers import TurnLimit


def build_env(scene: str, max_turns: int = 1, **kwargs: Any) -> gymnasium.Env:
    """The environment that `gymnasium.make` returns: a scene with a limit of turns.

    The limit is a wrapper, as Gymnasium's own is: its checker takes an environment that
    truncates its first step for broken.

    Args:
        scene: A registered scene.
        max_turns: Answers an episode; more than 1 closes the loop.
        **kwargs: Arguments of `ManipulationEnv`.
    """
    return TurnLimit(ManipulationEnv(scene, **kwargs), max_turns)


Wrapper = Callable[[gymnasium.Env], gymnasium.Env]


def make_vec(
    scene: str, num_envs: int = 1, wrappers: Sequence[Wrapper] = (), **kwargs: Any
) -> AsyncVectorEnv:
    """Environments in processes of their own.

    Gymnasium's default does not fit: its next-step autoreset spends every second step
    of one-step episodes on a reset. Processes are spawned, because a forked one cannot
    use its parent's GL context; so a script needs the usual
    `if __name__ == "__main__":`.

    Args:
        scene: A registered scene.
        num_envs: Processes.
        wrappers: What each environment is wrapped in, the innermost first, such as
            `envs.ArrayAction`; they must be picklable.
        **kwargs: Arguments of `build_env`; they must be picklable.
    """
    registry.check_name(scene)
    task = registry.get_task(scene)
    build = partial(_build_worker, scene, task, tuple(wrappers), kwargs)
    return AsyncVectorEnv(
        [build] * num_envs, context="spawn", autoreset_mode=AutoresetMode.SAME_STEP
    )


def _build_worker(
    scene: str, task: type, wrappers: tuple[Wrapper, ...], kwargs: dict[str, Any]
) -> gymnasium.Env:
    """Makes an environment in a process that may not know the user's own scene yet."""
    if scene not in registry.list_scenes():
        registry.register_scene(scene)(task)
    env = gymnasium.make(registry.name_env(scene), **kwargs)
    for wrapper in wrappers:
        env = wrapper(env)
    return env
