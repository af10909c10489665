"""Scenes in the browser: `python scripts/play.py env=pick_mug policy=tiny`.

Choose a scene, draw box and path into its image or let a policy answer, and see what
the arm does. Everything stays on this machine. Other programs use /api/scene,
/api/execute and /api/answer of the same address (policy/playground/api.py).
"""

from __future__ import annotations

import importlib.util
import time
from functools import partial
from pathlib import Path
from typing import Any

from launching.choices import BASELINES
from launching.launch import launch
from launching.policies import choose_answerer, list_policies
from launching.settings import build
from launching.sources import read_camera
from omegaconf import DictConfig


def main(config: DictConfig) -> None:
    """Serves the page, or the view, until Ctrl-C."""
    if config.view:
        return view(config)
    check_installed("nicegui", "play")
    from policy.playground.door import listen, serve
    from policy.playground.engine import Engine
    from policy.playground.queue import WorkQueue
    from policy.playground.saving import Saver
    from policy.playground.serving import add_page, build_app
    from policy.rollout.config import RolloutConfig
    from policy.training.progress import Screen
    from rewards import RewardMix

    start = read_start(config)
    refuse_ranges(start.camera)
    opened = listen(config.port)
    rollout, mix = build(RolloutConfig, config.rollout), build(RewardMix, config.reward)
    now = time.strftime("%Y%m%d-%H%M%S")
    saver = Saver(Path(config.run_dir or f"runs/played/{now}"))
    with (
        WorkQueue(rollout.workers) as queue,
        load_policies(config, rollout.max_new_tokens) as policies,
    ):
        engine = Engine(
            queue=queue, policies=policies, mix=mix, knowledge=config.knowledge
        )
        app = build_app(engine)
        add_page(app, engine, saver, start, config.max_turns)
        serve(app, opened, Screen(quiet=config.quiet).say)


def view(config: DictConfig) -> None:
    """Shows in three dimensions what the policy does in one scene."""
    check_installed("mjviser", "viz")
    from envs import sample_scene
    from policy.playground.page.view import serve_view
    from policy.playground.policies import answer_scene
    from policy.rollout.config import RolloutConfig
    from policy.training.progress import Screen

    scene = sample_scene(read_start(config))
    tokens = build(RolloutConfig, config.rollout).max_new_tokens
    _, policy = list_policies(config)[0]
    text = answer_scene(choose_answerer(policy, tokens), scene)
    serve_view(scene, text, config.port, Screen(quiet=config.quiet).say)


def check_installed(package: str, extra: str) -> None:
    """Refuses to go on without a package that an extra brings."""
    if importlib.util.find_spec(package) is None:
        raise ValueError(f"{package} is not installed: pip install 'graspo[{extra}]'")


def read_start(config: DictConfig) -> Any:
    """Returns what the first scene is made from."""
    from envs.registry import get_task
    from envs.scene import SceneConfig

    if config.max_turns < 1:
        raise ValueError(f"max_turns is {config.max_turns}; at least 1 needed")
    get_task(config.env.name)
    return SceneConfig(
        name=config.env.name,
        split=config.split,
        seed=config.seed,
        shifts=tuple(config.shifts),
        camera=read_camera(config),
        robot=config.robot,
        look=config.look,
        knowledge=config.knowledge,
    )


def refuse_ranges(camera: Any) -> None:
    """Refuses a camera that each seed draws anew: the page has a number for each."""
    for name, (least, most) in camera.items():
        if least < most:
            raise ValueError(
                f"camera.{name} is [{least:g}, {most:g}]; the page takes one number"
            )


def load_policies(config: DictConfig, max_new_tokens: int) -> Any:
    """Returns the policies of `policy=`, being loaded, and those that need no model."""
    from policy.evaluation.baselines import BASELINES as scripted
    from policy.playground.policies import Policies
    from policy.rollout.play import answer_scripted

    models = {
        name: partial(choose_answerer, node, max_new_tokens)
        for name, node in list_policies(config)
        if name not in scripted
    }
    return Policies(
        models, {name: answer_scripted(act) for name, act in scripted.items()}
    )


if __name__ == "__main__":
    launch("play", main, policies=BASELINES, compares=True)
