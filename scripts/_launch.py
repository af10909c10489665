"""The front door: from the command line to plain configuration.

Hydra reads conf/ and the `key=value` arguments. Added are: scenes of installed packages
are choices of `env=`, which takes several as `env=[one,other]`; `policy=` takes a path
or a hub id; and a mistake of the user is one message instead of a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import _interrupt
import hydra
from _choices import (
    ALL,
    OFFLINE,
    SEVERAL,
    find_conf,
    register_choices,
    spell,
)
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

MISTAKES = (ValueError, FileNotFoundError, FileExistsError)

# Threads that spin while they wait starve the processes that simulate: on two busy
# cores a step took ten times as long. Threads that sleep at once have to be woken for
# each of many small products: sampling took 1.7 times as long. So they spin for some
# 500 us where that can be set (libgomp): for 50 us sampling and update took a fifth
# longer and a step 5 %, for 2.5 ms a step a tenth. Read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

T = TypeVar("T")


def launch(
    name: str,
    run: Callable[[DictConfig], None],
    *,
    policies: tuple[str, ...] = (),
    all_envs: bool = False,
    compares: bool = False,
    check: Callable[[DictConfig], object] = lambda config: None,
) -> None:
    """Runs a function with the configuration of conf/<name>.yaml.

    A mistake of the user is one line and exit code 2; what else fails, 1.

    Args:
        name: The configuration's name.
        run: Gets the resolved configuration; hydra's part is left out.
        policies: Names that `policy=` takes beside files and paths.
        all_envs: Whether `env=` takes `all` beside scenes.
        compares: Whether `policy=` takes several, `[one,other]`.
        check: Gets the same before; refuses what cannot be without loading torch.
    """
    from _mistakes import check_flags, explain_disk, refuse

    bound_products(sys.argv[1:])
    register_choices(policies, all_envs, compares)
    go, conf = partial(_run, run, check), str(find_conf())
    try:
        _interrupt.answer()
        sys.argv[1:] = [part for arg in sys.argv[1:] for part in spell(arg)]
        if check_flags(sys.argv[1:]):  # for help, and for sweeps
            hydra.main(version_base="1.3", config_path=conf, config_name=name)(go)()
            return
        with hydra.initialize_config_dir(conf, version_base="1.3"):
            go(_read(name))
    except _list_failures() as error:
        refuse(error, 1)
    except MISTAKES as error:
        refuse(error)
    except OSError as error:
        refuse(explain_disk(error), 1)
    except KeyboardInterrupt:
        refuse("stopped", 130)


def _read(name: str) -> DictConfig:
    """The configuration that the command line asks for; HydraConfig knows of it."""
    from _mistakes import drop_hydra, read_words

    config = read_words(name, find_conf(), sys.argv[1:])
    HydraConfig.instance().set_config(config)
    return drop_hydra(config)


def _run(
    run: Callable[[DictConfig], None],
    check: Callable[[DictConfig], object],
    config: DictConfig,
) -> None:
    """Checks a configuration, which loads no model, and runs what it is for."""
    from _checks import check_config

    OmegaConf.resolve(config)
    check_config(config)
    check(config)
    run(config)


def bound_products(arguments: Sequence[str]) -> None:
    """Keeps few compiled products, where bfloat16 may be used; before torch starts.

    They are compiled for each shape, and shapes of answers hardly repeat: with the
    usual 1,024 kept, memory grew by half a gigabyte in 20 steps. With 64 kept it stays;
    an update of the whole default policy takes a tenth longer, of adapters as long.
    """
    from policy.runtime.processor import read_processor

    if "algo.bf16=false" in arguments or not read_processor().bf16:
        return
    for cache in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(cache, "64")


def build(record: type[T], node: DictConfig) -> T:
    """Makes a dataclass, and those inside it, of a part of the configuration.

    It is plain data: nothing in it can name what is to be called.
    """
    return _fill(record, cast(dict, OmegaConf.to_container(node)))


def _fill(record: type[T], values: dict[str, Any]) -> T:
    values.pop("_target_", None)  # in runs of earlier versions
    types = get_type_hints(record)
    if unknown := sorted(values.keys() - types.keys()):
        raise ValueError(
            f"unknown {unknown[0]!r} of {record.__name__}; valid: {', '.join(types)}"
        )
    for name, value in values.items():
        if is_dataclass(kind := types[name]):
            values[name] = _fill(cast(type, kind), value)
    try:
        return record(**values)
    except TypeError as error:
        raise ValueError(f"{record.__name__}: {error}") from error


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
        waypoints=config.waypoints,
        answer=config.answer,
        varied=config.varied,
        camera=read_camera(config),
        robot=config.robot,
        look=read_look(config),
    )
    if pictures is None:
        return scenes
    share = envs.count(OFFLINE) / len(envs)
    return MixedSource(scenes=scenes, pictures=pictures, share=share)


def open_pictures(config: DictConfig) -> Any:
    """Returns the annotated images that `data.*` names; says how many are broken."""
    from policy.rollout.picture_source import PictureSource

    if "data" not in config:
        raise ValueError(f"env={OFFLINE}: this command takes scenes alone")
    if config.data.path is None:
        raise ValueError(f"env={OFFLINE} needs data.path=<directory or file>")
    images = _open_set(OmegaConf.to_yaml(config.data), config.answer)
    split = "test" if config.split == "test" else "train"
    return PictureSource(images=images, split=split, answer=config.answer)


@lru_cache(maxsize=1)
def _open_set(data: str, answer: str) -> Any:
    """Opens a set once, although a run builds its job twice."""
    from policy.data.sets import SetConfig, open_set

    images = open_set(
        build(SetConfig, cast(DictConfig, OmegaConf.create(data))), answer
    )
    found = ", ".join(f"{n} {reason}" for reason, n in images.count_broken().items())
    print(f"{len(images.items)} annotated images; left out: {found or 'none'}")
    return images


def read_camera(config: DictConfig) -> Any:
    """Returns what `camera=` says of where it stands; empty if nothing."""
    said: Any = OmegaConf.to_container(config.camera)
    return {name: value for name, value in said.items() if value is not None}


def read_look(config: DictConfig) -> str:
    """Returns what the arm looks like; runs of earlier versions do not say."""
    return str(config.get("look", "primitive"))


def announce(path: str) -> None:
    """Says that a hub is asked for a policy; that may take a while."""
    from huggingface_hub import constants

    from policy.home import find

    if not find(path).is_dir():
        print(f"policy {path}: asking {constants.ENDPOINT}", file=sys.stderr)


def load_policy(node: DictConfig, *, keep_reference: bool = False) -> Any:
    """Loads the model that `policy=` names."""
    announce(str(node.path))
    import torch

    import policy

    # More threads than this only wait for each other on the small default policy.
    torch.set_num_threads(min(torch.get_num_threads(), 8))
    options: Any = OmegaConf.to_container(node)
    path, lora = options.pop("path"), options.pop("lora")
    return policy.load(
        str(path),
        lora=read_lora(lora),
        keep_reference=keep_reference,
        **options,
    )


def read_lora(value: Any) -> Any:
    """Returns the adapters that `policy.lora=` describes; None for null."""
    from policy import LoraSpec

    if value is None:
        return None
    try:
        return LoraSpec(**value)
    except TypeError as error:
        raise ValueError(
            f"policy.lora is {value!r}; use null or, in quotes, "
            "'policy.lora={rank:16,alpha:32}'"
        ) from error


def choose_answerer(node: DictConfig, max_new_tokens: int) -> Any:
    """Returns what answers scenes: a baseline, or a model, greedily."""
    from policy.evaluation.baselines import BASELINES as scripted
    from policy.rollout.collect import answer_greedily
    from policy.rollout.play import answer_scripted

    if node.path in scripted:
        return answer_scripted(scripted[node.path])
    plain = OmegaConf.merge(node, {"lora": None})  # adapters are for training
    assert isinstance(plain, DictConfig)
    return answer_greedily(load_policy(plain), max_new_tokens)


def name_policy(node: DictConfig) -> str:
    """Returns what the user called the policy: its file in conf/policy, or its path."""
    choice = HydraConfig.get().runtime.choices["policy"]
    return str(node.path) if choice == "path" else str(choice)


def list_policies(config: DictConfig) -> list[tuple[str, DictConfig]]:
    """Returns the policies that `policy=` names, each with its configuration."""
    from _mistakes import read_words

    job, choices = HydraConfig.get(), HydraConfig.get().runtime.choices
    if choices["policy"] != SEVERAL:
        return [(name_policy(config.policy), config.policy)]
    others = [
        word
        for word in job.overrides.task
        if word.split("=")[0] not in ("policy", "policy.names")
    ]
    found = []
    for name in config.policy.names:
        words = [*others, *spell(f"policy={name}")]
        node = read_words(str(job.job.config_name), find_conf(), words).policy
        found.append((name, node))
    return found


def list_overrides() -> dict[str, str]:
    """Returns what the command line changes: key to value, as written."""
    return dict(arg.split("=", 1) for arg in HydraConfig.get().overrides.task)


def make_importable() -> None:
    """Lets the scripts of a checkout use its own packages, whatever is installed."""
    root = Path(__file__).resolve().parents[1]
    if (root / "envs").is_dir():
        sys.path.insert(0, str(root))


def _list_failures() -> tuple[type[Exception], ...]:
    """What is no mistake in the command: of the machine, or of a scene's author."""
    from envs.cameras.gl import NoGL
    from envs.contract import NoUsableSample, SceneError

    return NoGL, NoUsableSample, SceneError


make_importable()
