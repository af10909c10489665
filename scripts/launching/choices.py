"""What `env=` and `policy=` may be beside files of conf/, and how it is written.

And back: the command that is running, as one would type it again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

# Those of policy/evaluation/baselines.py.
BASELINES = ("expert", "null", "random", "wrong_target")
SEVERAL = "several"  # stands for policy=[one,other]
ALL = {"name": "all", "only": [], "without": []}
OFFLINE = "offline"  # annotated images instead of scenes: conf/env/offline.yaml
# What `spell` turns short forms into, and what each stands for.
STANDS = ("policy=path", "policy=several")
LONG = re.compile(r"(policy)\.(?:path|names)=|(env)\.only=")
ANY_POLICY = {
    "path": "???",
    "dtype": "float32",
    "device": "auto",
    "coordinates": None,
    "trainable": ["language", "tower"],
    "lora": {"rank": 4, "alpha": 8, "seed": 0},
    "gradient_checkpointing": False,
}


def find_conf() -> Path:
    """Returns the folder of configurations."""
    from policy.home import HOME

    return HOME / "conf"


def register_choices(policies: tuple[str, ...], all_envs: bool, compares: bool) -> None:
    """Tells Hydra of choices that are no files; see `launching.launch`."""
    from envs import list_scenes

    store, files = ConfigStore.instance(), find_conf() / "env"
    for env in list_scenes():
        if not (files / f"{env}.yaml").exists():
            store.store(group="env", name=env, node={"name": env})
    if all_envs:
        store.store(group="env", name=ALL["name"], node=ALL)
    store.store(group="policy", name="path", node=ANY_POLICY)
    if compares:
        node = ANY_POLICY | {"path": None, "names": []}
        store.store(group="policy", name=SEVERAL, node=node)
    for policy in policies:
        store.store(group="policy", name=policy, node={"path": policy})


def spell(argument: str) -> list[str]:
    """Turns policy=<directory or hub id> and lists of names into what Hydra reads.

    So do paths with letters that are not ASCII, which it takes in quotes alone.

    Raises:
        ValueError: An empty list.
    """
    key, _, value = argument.partition("=")
    if key in ("env", "policy") and re.fullmatch(r"\[[\s,]*\]", value):
        raise ValueError(f"{argument} names nothing: {key}=[one,other]")
    if key == "env" and value.startswith("["):
        return ["env=all", f"env.only={value}"]
    if key == "policy" and value.startswith("["):
        names = ",".join(_quote(name) for name in value.strip("[]").split(","))
        return [f"policy={SEVERAL}", f"policy.names=[{names}]"]
    if argument == "policy=null":  # the name of a baseline, not YAML's nothing
        return ['policy="null"']
    if key == "policy" and ("/" in value or Path(value).is_dir()):
        return ["policy=path", f"policy.path={_quote(value)}"]
    if value.isascii() or value.startswith(("[", "{", "'", '"')):
        return [argument]
    return [f"{key}={_quote(value)}"]


def _quote(value: str) -> str:
    escaped = value.strip().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def spell_command(without: Collection[str] = ()) -> str:
    """Returns what to type for the same again, of several jobs for this one.

    Args:
        without: Keys to leave out.
    """
    job = HydraConfig.get()
    words = shorten(job.overrides.task)
    kept = [word for word in words if word.partition("=")[0] not in without]
    return shlex.join(["python", f"scripts/{job.job.config_name}.py", *kept])


def number_job() -> str:
    """Returns what tells the jobs of -m from each other, "" of one that is alone."""
    job = HydraConfig.get().job
    return "" if OmegaConf.is_missing(job, "num") else f"_{job.num}"


def shorten(words: Sequence[str]) -> list[str]:
    """Returns arguments as the user wrote them, of those that Hydra read."""
    several = any(word.startswith("env.only=") for word in words)
    dropped = (*STANDS, "env=all") if several else STANDS
    return [_shorten(word) for word in words if word not in dropped]


def _shorten(word: str) -> str:
    short, changed = LONG.subn(lambda m: f"{m[1] or m[2]}=", word, count=1)
    quoted = '="' in word and not word.isascii()
    ours = changed or quoted or word == 'policy="null"'
    if ours:
        return re.sub(r'\\(.)|"', r"\1", short)
    return re.sub(r"\\([{}])", r"\1", word)  # of one job of several
