"""What was typed wrong: found before anything slow is loaded, told in one line.

A mistake of the user ends a command with exit code 2, a failure of anything else with
1. Unknown keys and names come with the nearest valid one, values of the wrong kind with
the right kind.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from hydra import compose
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf

# Hydra's own flags; what begins otherwise is a key, written as other programs do.
FLAGS = (
    *("--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--resolve"),
    *(
        "--package",
        "-p",
        "--run",
        "-r",
        "--multirun",
        "-m",
        "--shell-completion",
        "-sc",
    ),
    *("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    *("--experimental-rerun", "--info", "-i"),
)
LEAST_FREE = 2**16  # bytes: where fewer are left, whatever failed, the disk was full
INTERNAL = ("path", "several", "__pycache__")  # choices that stand for what users write
OPEN = ("policy.lora",)  # in parts, but may be null
KINDS = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str, bool, int, float), "a word"),
    list: ((list,), "a list in brackets, [one,other]"),
}


def refuse(error: Exception | str, code: int = 2) -> NoReturn:
    """Says what is wrong in one line and ends the program: 2 for the user's mistake."""
    line = " ".join(str(error).split())
    print(f"error: {line}", file=sys.stderr)
    sys.exit(code)


def explain_disk(error: Exception, run: Path | None = None) -> str:
    """Says what the system refused, where, and what to do.

    Args:
        error: What was raised.
        run: The directory of a training that is under way.
    """
    if run and not (run / "config.yaml").is_file():  # a board may have made it again
        return f"run directory {run} was removed or renamed while it was written to"
    where = getattr(error, "filename", None) or run or "this"
    again = f", then go on with resume={run}" if run else ", then try again"
    number = getattr(error, "errno", None)
    full = number in (errno.ENOSPC, errno.EDQUOT)
    full |= os.strerror(errno.ENOSPC) in str(error)  # of libraries without numbers
    if full or shutil.disk_usage(run or Path()).free < LEAST_FREE:
        return f"the disk of {where} is full: make room{again}"
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{where} cannot be written to: allow it{again}"
    return f"{where}: {error}"


def check_flags(words: Sequence[str]) -> bool:
    """Whether arguments hold flags of Hydra; refuses what only looks like one.

    Raises:
        ValueError: Another flag.
    """
    flags = [word.partition("=")[0] for word in words if word.startswith("-")]
    for flag in flags:
        if flag not in FLAGS:
            key = flag.lstrip("-")
            raise ValueError(f"unknown flag {flag!r}: keys have no dash, {key}=<value>")
    return bool(flags)


def read_words(name: str, conf: Path, words: Sequence[str]) -> DictConfig:
    """Returns the configuration that arguments ask for, hydra's part in it.

    Args:
        name: That of a file in conf/.
        conf: The folder of configurations, which Hydra has been told of.
        words: The command line's arguments, as Hydra reads them.

    Raises:
        ValueError: Something that the configuration has no place for.
    """
    groups = [path.name for path in conf.iterdir() if path.is_dir()]
    choices = [word for word in words if word.partition("=")[0] in groups]
    with _explaining(name):
        config = compose(name, list(words), return_hydra_config=True)
        asked = drop_hydra(config)
        usual = compose(name, choices) if len(choices) < len(words) else asked
    if missing := sorted(OmegaConf.missing_keys(asked)):
        raise ValueError(f"{missing[0]}= is needed: it has no usual value")
    check_kinds(_to_plain(asked), _to_plain(usual))
    return config


def drop_hydra(config: DictConfig) -> DictConfig:
    """Returns a configuration without hydra's part, to which nothing can be added."""
    asked = OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"])
    OmegaConf.set_struct(asked, True)
    return asked


def check_kinds(values: dict[str, Any], usual: dict[str, Any], where: str = "") -> None:
    """Refuses values of another kind than the usual ones have.

    Args:
        values: A part of a configuration, plain data.
        usual: The same with what stands in its file; None there may become anything.
        where: The part's own key with a dot behind.

    Raises:
        ValueError: A value of another kind.
    """
    for key, value in values.items():
        old = usual.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            check_kinds(value, old, f"{where}{key}.")
        elif isinstance(old, dict) and old and f"{where}{key}" not in OPEN:
            parts = ", ".join(f"{where}{key}.{part}" for part in old)
            raise ValueError(f"{where}{key}={_spell(value)}: is in parts: {parts}")
        elif type(old) in KINDS and old != "???":
            kinds, needed = KINDS[type(old)]
            odd = isinstance(value, bool) and type(old) in (int, float)
            if odd or not isinstance(value, kinds):
                raise ValueError(f"{where}{key}={_spell(value)}: must be {needed}")


def _spell(value: Any) -> Any:
    return "null" if value is None else value


def _to_plain(config: DictConfig) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(config, resolve=True)
    return plain


@contextmanager
def _explaining(name: str) -> Iterator[None]:
    """Turns what Hydra says of the command line into one line with the valid choices.

    Raises:
        ValueError: What is wrong.
    """
    try:
        yield
    except MissingConfigException as error:
        raise ValueError(_explain_choice(error)) from error
    except OverrideParseException as error:
        lines = str(error.message or error).splitlines()
        problem = [line for line in lines if not line.startswith(("See ", "Error "))]
        raise ValueError(
            f"cannot read {error.override!r}: {' '.join(problem)}; write key=value, "
            "and quote what holds spaces or brackets"
        ) from error
    except ConfigCompositionException as error:
        raise ValueError(_explain_key(name, str(error))) from error
    except HydraException as error:
        raise ValueError(str(error)) from error


def _explain_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).partition("/")
    if group == "env" and (missing := _explain_extra(choice)):
        return missing
    valid = [name for name in error.options or [] if name not in INTERNAL]
    more = ", a directory or a hub id (owner/name)" if group == "policy" else ""
    return f"unknown {group} {choice!r}{_suggest(choice, valid)}{more}"


def _explain_extra(scene: str) -> str:
    """What a scene needs that is not installed; "" if nothing, or if it is none."""
    from envs.registry import list_absent

    return list_absent().get(scene, "")


def _explain_key(name: str, said: str) -> str:
    """Names the nearest of all keys and those on the same level."""
    _, quote, rest = said.partition("Could not override '")
    if not quote:
        return said
    key = rest.partition("'")[0]
    known = dict(_list_keys(_to_plain(compose(name))))
    level = key.rpartition(".")[0]
    valid = [k for k in known if k.rpartition(".")[0] == level]
    near = get_close_matches(key, known, 1) or [
        k for k in known if k.rpartition(".")[2] == key
    ]
    return f"unknown key {key!r}{_suggest(key, valid, near)}"


def _list_keys(values: dict[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        yield f"{where}{key}", value
        if isinstance(value, dict):
            yield from _list_keys(value, f"{where}{key}.")


def _suggest(wrong: str, valid: Sequence[str], near: Sequence[str] = ()) -> str:
    near = near or get_close_matches(wrong, valid, 1)
    guess = f"; did you mean {near[0]!r}?" if near else ";"
    return f"{guess} valid: {', '.join(valid)}"
