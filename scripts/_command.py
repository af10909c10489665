"""The command that is running, as one would type it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence

import _interrupt  # noqa: F401 before what takes long
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

# What `_launch` turns short forms into, and what each stands for.
STANDS = ("policy=path", "policy=several")
LONG = re.compile(r"(policy)\.(?:path|names)=|(env)\.only=")


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
    ours = changed or word == 'policy="null"'
    if ours:
        return re.sub(r'\\(.)|"', r"\1", short)
    return re.sub(r"\\([{}])", r"\1", word)  # of one job of several
