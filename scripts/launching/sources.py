"""The scenes and images that the configuration names."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from launching.choices import ALL, OFFLINE
from launching.settings import build, say_once

# Of scenes, what runs of earlier versions do not say, as it was then.
EARLIER = {"robot": "panda", "look": "primitive", "without": [], "knowledge": "none"}


def list_envs(config: DictConfig) -> tuple[str, ...]:
    """Returns the scenes that `env=` names: one, several, or all but those left out."""
    from envs import list_common
    from envs.registry import check_name

    if config.env.name != ALL["name"]:
        return (config.env.name,)
    for key in ("only", "without"):
        for name in config.env[key]:
            if name != OFFLINE:
                check_name(name, f"env.{key}")
    names = config.env.only or list_common()
    return tuple(name for name in names if name not in config.env.without)


def read_source(config: DictConfig, *envs: str) -> Any:
    """Returns where scenes of these names come from, annotated images, or both."""
    from policy.rollout.mixed_source import MixedSource
    from policy.rollout.scene_source import SceneSource

    names = tuple(name for name in envs if name != OFFLINE)
    pictures = open_pictures(config) if OFFLINE in envs else None
    if not names:
        return pictures
    scenes = SceneSource(
        names=names,
        split=config.split,
        shifts=tuple(config.shifts),
        answer=config.answer,
        varied=config.varied,
        **describe_scenes(config),
    )
    if pictures is None:
        return scenes
    share = envs.count(OFFLINE) / len(envs)
    return MixedSource(scenes=scenes, pictures=pictures, share=share)


def describe_scenes(config: DictConfig) -> dict[str, Any]:
    """Fields of `SceneSource` that whoever learns from scenes or is measured has."""
    return {
        "waypoints": config.waypoints,
        "camera": read_camera(config),
        "robot": config.robot,
        "look": config.look,
        "without": tuple(config.without),
        "knowledge": config.knowledge,
    }


def complete(config: DictConfig) -> None:
    """Adds what runs of earlier versions do not say of their scenes, as these were."""
    for key, value in EARLIER.items():
        config.setdefault(key, value)


def open_pictures(config: DictConfig) -> Any:
    """Returns the annotated images that `data.*` names; says how many are broken.

    Whatever split of scenes a policy learns from, of images it learns from "train".
    """
    from policy.rollout.picture_source import PictureSource

    if "data" not in config:
        raise ValueError(f"env={OFFLINE}: this command takes scenes alone")
    if config.data.path is None:
        raise ValueError(f"env={OFFLINE} needs data.path=<directory or file>")
    learns = "algo" in config  # train.py
    if config.split == "ood" and not learns:
        raise ValueError(f"split=ood: env={OFFLINE} has images of split train and test")
    if config.split == "test" and learns and list_envs(config) == (OFFLINE,):
        raise ValueError(
            f"split=test: env={OFFLINE} learns from images of split train and is "
            "measured on those of test; use split=train"
        )
    images = _open_set(OmegaConf.to_yaml(config.data), config.answer, config.quiet)
    return PictureSource(
        images=images,
        split="train" if learns else config.split,
        waypoints=config.waypoints,
        answer=config.answer,
        knowledge=config.knowledge,
    )


@lru_cache(maxsize=1)
def _open_set(data: str, answer: str, quiet: bool) -> Any:
    """Opens a set once, although a run builds its job twice."""
    from policy.data.sets import SetConfig, open_set

    images = open_set(
        build(SetConfig, cast(DictConfig, OmegaConf.create(data))), answer
    )
    found = ", ".join(f"{n} {reason}" for reason, n in images.count_broken().items())
    if not quiet:
        say_once(f"{len(images.items)} annotated images; left out: {found or 'none'}")
    return images


def read_camera(config: DictConfig) -> Any:
    """Returns what `camera=` says of where it stands; empty if nothing."""
    said: Any = OmegaConf.to_container(config.camera)
    return {name: value for name, value in said.items() if value is not None}
