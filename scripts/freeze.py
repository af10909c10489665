"""Freezes an evaluation suite: `python scripts/freeze.py env=all n=100 out=suite.json`.

`python scripts/evaluate.py suite=suite.json` measures on its scenes, and checks that
they are the ones that were frozen.
"""

from __future__ import annotations

from pathlib import Path

from launching.launch import launch
from launching.sources import list_envs
from omegaconf import DictConfig

SPLITS = ("test", "ood")


def main(config: DictConfig) -> None:
    """Builds n verified scenes of each kind and split and writes their digests."""
    from envs.sampling.suite import Suite, freeze, save_suite
    from policy.rollout.scene_source import SceneSource, choose_seeds
    from policy.rollout.workers import Workers
    from policy.training.progress import Screen

    out, screen, suite = Path(config.out), Screen(quiet=config.quiet), Suite(scenes={})
    out.parent.mkdir(parents=True, exist_ok=True)
    seeds = choose_seeds(config.n, config.seed)
    kinds = [(env, split) for env in list_envs(config) for split in SPLITS]
    with Workers() as workers, screen.task("freezing", len(kinds)) as bar:
        for done, (env, split) in enumerate(kinds):
            source = SceneSource(names=(env,), split=split)
            [scenes] = workers.make_scenes(source, [seeds])
            if workers.aside:
                raise ValueError(f"a suite needs every scene, but {workers.aside[0]}")
            suite.scenes.update(freeze(scenes).scenes)
            screen.move(bar, done + 1)
    save_suite(suite, out)
    screen.say(f"{len(kinds)} x {config.n} scenes: {out}")


def check(config: DictConfig) -> None:
    """Refuses to overwrite a suite."""
    from launching.checks import check_free

    check_free("out", Path(config.out))


if __name__ == "__main__":
    launch("freeze", main, all_envs=True, check=check)
