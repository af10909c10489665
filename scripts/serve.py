"""Serves a scene to clients of OpenEnv: `python scripts/serve.py env=pick_mug`.

Each session plays its own episodes, in a simulator thread of its own; same seed, same
episode as of the Gymnasium environment. Only this machine is served, unless host= says
otherwise. See conf/serve.yaml for the keys.
"""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import Any

from launching.launch import launch
from launching.settings import build
from launching.sources import read_camera
from omegaconf import DictConfig


def main(config: DictConfig) -> None:
    """Serves until Ctrl-C."""
    from policy.playground.door import listen, serve
    from policy.serving.openenv.server import Limits, build_app
    from policy.training.progress import Screen

    limits = Limits(sessions=config.sessions, idle_s=config.idle_s, host=config.host)
    opened = listen(config.port, config.host)
    make = partial(make_env, config.env.name, read_options(config))
    say = Screen(quiet=config.quiet).say
    serve(build_app(make, config.env.name, limits), opened, say)


def check(config: DictConfig) -> None:
    """Refuses to start without OpenEnv, and rewards that cannot be given."""
    from policy.rollout.scene_source import SceneSource
    from rewards import RewardMix

    if importlib.util.find_spec("openenv") is None:
        raise ValueError("openenv is not installed: pip install 'graspo[serve]'")
    source = SceneSource(names=(config.env.name,), split=config.split)
    source.check_mix(build(RewardMix, config.reward))
    source.check_turns(config.max_turns)


def read_options(config: DictConfig) -> dict[str, Any]:
    """Returns the arguments of the Gymnasium environment."""
    from rewards import RewardMix, score

    return {
        "reward_fn": partial(score, mix=build(RewardMix, config.reward)),
        "max_turns": config.max_turns,
        "split": config.split,
        "shifts": tuple(config.shifts),
        "camera": read_camera(config),
        "robot": config.robot,
        "look": config.look,
    }


def make_env(name: str, options: dict[str, Any]) -> Any:
    """Makes a Gymnasium environment of a scene."""
    import gymnasium

    from envs.registry import name_env

    return gymnasium.make(name_env(name), disable_env_checker=True, **options)


if __name__ == "__main__":
    launch("serve", main, check=check)
