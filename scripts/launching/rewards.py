"""The rewards of a job: those that the command names, or what its scenes can give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from launching.choices import OFFLINE, find_conf
from launching.settings import build, list_overrides, say_once
from launching.sources import list_envs

if TYPE_CHECKING:
    from rewards import RewardMix


def fit_reward(config: DictConfig) -> None:
    """Takes another reward where the usual one cannot be given, and says so.

    That is `physical` where a scene lacks an expert, and `paper` for annotated images,
    which nothing is executed in. What the user named stays, and is an error where it
    cannot be given.
    """
    from envs.registry import has_expert
    from rewards import RewardMix

    envs, usual = list_envs(config), build(RewardMix, config.reward)
    offline = envs == (OFFLINE,)
    scenes = [name for name in envs if name != OFFLINE]
    lacking = [name for name in scenes if not has_expert(name)]
    needed = usual.needs_outcome if offline else lacking and usual.needs_reference
    named = {"reward", "experiment"} | (set() if offline else {"answer"})
    if not needed or list_overrides().keys() & named:
        return
    other = "paper" if offline else "physical"
    config.reward = load_reward(other)
    why = "images are not executed" if offline else f"{lacking[0]!r} has no expert"
    if not config.quiet:
        say_once(f"reward={other}: {why}")


def choose_picture_mix(config: DictConfig) -> RewardMix | None:
    """Returns what annotated images beside scenes reward, if it is something else.

    Nothing is executed in them, so it is `paper` where scenes reward what is.
    """
    from rewards import RewardMix

    beside = OFFLINE in (envs := list_envs(config)) and {*envs} != {OFFLINE}
    if not beside or not build(RewardMix, config.reward).needs_outcome:
        return None
    return build(RewardMix, load_reward("paper"))


def load_reward(name: str) -> DictConfig:
    """Returns a file of conf/reward."""
    node = OmegaConf.load(find_conf() / "reward" / f"{name}.yaml")
    assert isinstance(node, DictConfig)
    return node
