"""What a configuration asks for and cannot have, found without loading a model.

What a run has stored may come from a stranger, so it may refer to nothing: neither to
the environment, nor to parts of itself that would grow without an end.

This file must not import torch, nor what does: a mistake is answered at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from launching.choices import BASELINES, OFFLINE
from launching.idle import check_idle
from launching.mistakes import check_kinds
from launching.policies import list_policies, read_lora
from launching.settings import build, list_overrides
from launching.sources import list_envs, read_camera, read_source

LEAST = {"seed": 0, "steps": 1, "videos": 0, "checkpoint_every": 1, "keep": 0}
DEVICES = ("auto", "cpu", "cuda", "mps", "xpu")
DTYPES = ("float32", "bfloat16", "float16")  # of policy/model/loading.py
ADVICE = "put it back as it was, or start a new run from a checkpoint by policy="
FILES = (".json", ".mp4", ".gif", ".webp", ".png", ".jpg", ".html")
DRIVERS = ("libcuda.so.1", "libamdhip64.so")  # either makes torch's device "cuda"
NOT_OF_IMAGES = ("camera", "look", "robot", "shifts", "varied")


def check_config(config: DictConfig) -> None:
    """Refuses what scripts have in common.

    Raises:
        ValueError: The first thing that cannot be.
        FileNotFoundError: The run to go on with is not there.
    """
    if config.get("resume"):
        return check_resume(Path(str(config.resume)))
    least = {**LEAST, "n": 0 if "videos" in config else 1}
    for key in least.keys() & config.keys():
        if config[key] < least[key]:
            raise ValueError(f"{key} is {config[key]}; at least {least[key]}")
    if config.get("out"):
        check_out(Path(str(config.out)))
    check_idle(config)
    check_used(config)
    if "env" in config:
        check_scenes(config)
    check_parts(config)
    if "policy" in config:
        for _, node in list_policies(config):
            check_policy(node)


def check_resume(path: Path) -> None:
    """Refuses to go on with what is no run."""
    if not (path / "config.yaml").is_file():
        raise FileNotFoundError(
            f"resume={path}: no config.yaml there, so it is not a run directory"
        )


def check_resumed(run: Path, changeable: Sequence[str]) -> None:
    """Refuses what the command line changes of a run that goes on, but a few keys."""
    for key, value in list_overrides().items():
        if key not in ("resume", *changeable):
            raise ValueError(
                f"{key}={value} beside resume={run}: a resumed run keeps its "
                f"configuration; only {', '.join(changeable)} may change"
            )


def check_out(path: Path) -> None:
    """Refuses to write where nothing can be, before all the work is done."""
    if path.suffix in FILES:
        check_file(path)
    there = next(parent for parent in path.absolute().parents if parent.exists())
    if not there.is_dir():
        raise ValueError(f"out={path}: {there} is no directory")
    if not os.access(there, os.W_OK):
        raise ValueError(f"out={path}: {there} cannot be written to")


def check_free(key: str, path: Path) -> None:
    """Refuses to write where something is already.

    Raises:
        FileExistsError: Names the key and the path.
    """
    if path.exists():
        raise FileExistsError(f"{key}={path} exists; choose another or remove it")


def check_file(path: Path) -> None:
    """Refuses a directory where a file is to be written."""
    if path.is_dir():
        raise ValueError(f"out={path} is a directory, not a file")


def check_scenes(config: DictConfig) -> None:
    """Refuses scenes, splits, views and robots that do not exist."""
    from envs.cameras.viewpoint import read_viewpoint
    from envs.randomization.factors import check_axes, check_choice
    from envs.registry import check_without
    from envs.robot import DEFAULT, check_look
    from envs.scene import WAYPOINTS
    from policy.knowledge import check_knowledge

    names = list_envs(config)
    if not names:
        raise ValueError("env= names no scene, or env.without= leaves none")
    if "camera" in config:
        read_viewpoint(read_camera(config))
        check_look(config.look, config.get("robot", DEFAULT))
    if "waypoints" in config:
        check_choice("waypoints", config.waypoints, WAYPOINTS)
    if "knowledge" in config:
        check_knowledge(config.knowledge)
    if "without" in config:
        check_without([n for n in names if n != OFFLINE], list(config.without))
    if "split" not in config:
        return
    check_axes(config.split, list(config.shifts))
    if names != (OFFLINE,):
        check_robot(config, names)
    if "max_turns" in config and "waypoints" in config:
        read_source(config, *names).check_turns(config.max_turns)


def check_robot(config: DictConfig, names: tuple[str, ...]) -> None:
    """Refuses a robot that does not exist, and what it cannot do.

    What it can reach is measured on a first scene of each kind.

    Raises:
        ValueError: There is no such robot.
        NoUsableSample: A scene that it cannot do.
    """
    from envs import make_scene
    from envs.robot import DEFAULT, get_robot

    if get_robot(config.robot).name != DEFAULT:
        for name in names:
            if name != OFFLINE:
                make_scene(name, robot=config.robot)


def check_parts(config: DictConfig) -> None:
    """Refuses settings of learning, sampling and rewards that mean nothing."""
    from policy.grpo.config import GRPOConfig
    from policy.rollout.config import RolloutConfig
    from rewards import RewardMix

    if "algo" in config:
        check_numbers("algo.bf16", config.algo.bf16)
        algo = config.algo.copy()
        algo.bf16 = False
        build(GRPOConfig, algo)
    if "rollout" in config:
        build(RolloutConfig, config.rollout)
    if "reward" in config:
        build(RewardMix, config.reward)


def check_used(config: DictConfig) -> None:
    """Refuses words that would change nothing."""
    envs = {*list_envs(config)} if "data" in config else set()
    for key, value in list_overrides().items():
        group = key.partition(".")[0]
        if group == "data" and OFFLINE not in envs:
            raise ValueError(f"{key}={value}: is for env={OFFLINE}")
        if group in NOT_OF_IMAGES and envs == {OFFLINE}:
            raise ValueError(f"{key}={value}: is for scenes, not for env={OFFLINE}")
        lora = "policy" in config and config.policy.get("lora") is not None
        if key == "policy.trainable" and lora:
            raise ValueError(f"{key}={value}: is for policy.lora=null; adapters train")


def check_numbers(key: str, wanted: Any) -> None:
    """Refuses all that a choice of bfloat16 cannot be."""
    if wanted != "auto" and not isinstance(wanted, bool):  # 0 equals False
        raise ValueError(f"{key} is {wanted!r}; valid: auto, true, false")


def check_policy(node: DictConfig) -> None:
    """Refuses a policy that is nowhere, and a device that is not there."""
    from envs.randomization.factors import check_choice
    from policy.home import HOME, find
    from policy.model.settings import COORDINATES

    path = str(node.path)
    if path in BASELINES:
        return
    if not find(path).is_dir() and not re.fullmatch(r"[\w.-]+/[\w.-]+", path):
        names = sorted(file.stem for file in (HOME / "conf" / "policy").glob("*.yaml"))
        raise ValueError(
            f"policy={path}: there is no such directory; valid: {', '.join(names)}, "
            "a directory or a hub id (owner/name)"
        )
    check_choice("policy.dtype", node.dtype, DTYPES)
    if node.coordinates is not None:
        check_choice("policy.coordinates", node.coordinates, COORDINATES)
    check_device(str(node.device))
    read_lora(node.lora)


def check_device(device: str) -> None:
    """Refuses a device that torch has no name for, and a GPU that is not there."""
    from envs.randomization.factors import check_choice

    kind = device.partition(":")[0]
    check_choice("policy.device", kind, DEVICES)
    if kind == "cuda" and not _has_gpu():
        raise ValueError(
            f"policy.device={device}: no such GPU here, or torch was built without; "
            "policy.device=auto takes what there is"
        )


def _has_gpu() -> bool:
    from envs.cameras.gl import can_load

    if not any(map(can_load, DRIVERS)):
        return False
    import torch

    return torch.cuda.is_available()


def read_stored(file: Path) -> DictConfig:
    """Returns what a file holds.

    Raises:
        ValueError: It is damaged, or refers to something.
    """
    from policy.runtime.stored import read_yaml

    try:
        values = read_yaml(file)
    except ValueError as error:
        raise ValueError(f"{error}: {ADVICE}") from error
    if "${" in file.read_text(encoding="utf-8"):
        raise ValueError(f"{file} refers to something else by ${{}}: {ADVICE}")
    return OmegaConf.create(values)


def check_version(file: Path, config: DictConfig, usual: DictConfig) -> None:
    """Refuses what has other keys than today, or values of other kinds.

    Raises:
        ValueError: It is another version's, or damaged; says by which key.
    """
    if differing := sorted(map(str, config.keys() ^ usual.keys())):
        raise ValueError(
            f"{file} is of another version of Graspo, which differs in "
            f"{', '.join(differing)}: resume by that version, or start a new run from "
            "a checkpoint by policy="
        )
    plain: Any = OmegaConf.to_container(config)
    known: Any = OmegaConf.to_container(usual)
    for key in ("resume", "run_dir"):  # the command's, not the run's
        known.pop(key)
    try:
        check_kinds(plain, known)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
