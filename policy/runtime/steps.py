"""What a run goes on from: directories `step_<n>/`, the newest sound one first.

Each is written under another name, sealed (`policy.runtime.seal`) and renamed when it
is complete, so that what a kill or a full disk has left is never taken for a step.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy.runtime.seal import DamagedError, read_seal, seal
from policy.runtime.whole import write_whole

_NAME = re.compile(r"step_(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A step as it was written.

    Attributes:
        step: Its number.
        path: Its directory.
        facts: What its seal says.
    """

    step: int
    path: Path
    facts: dict[str, Any]


def save_step(
    folder: Path,
    step: int,
    write: Callable[[Path], None],
    *,
    keep: int = 0,
    **facts: Any,
) -> Path:
    """Writes `folder`/step_<step>, complete or not at all, and returns its path.

    Args:
        folder: That of the run's steps.
        step: The step just taken.
        write: Fills the directory that it is given.
        keep: How many of the newest stay; 0 keeps all.
        facts: Go into the seal.
    """

    def write_sealed(path: Path) -> None:
        write(path)
        seal(path, **facts)

    path = write_whole(folder / f"step_{step}", write_sealed)
    # A run that passed over a damaged step has it still, of a later number.
    known = [old for old in list_steps(folder) if old <= step]
    gone = [folder / f"step_{old}" for old in known[:-keep]] if keep else []
    for left in [*gone, *folder.glob(".step_*/")]:  # and what a kill has left
        shutil.rmtree(left)
    return path


def find_newest(folder: Path, say: Callable[[str], None]) -> Saved | None:
    """Returns the newest step that is as it was written, None before the first.

    Args:
        folder: That of the run's steps.
        say: Told of each newer one that is damaged.

    Raises:
        ValueError: There are steps, and all are damaged.
    """
    steps = list_steps(folder)
    for step in reversed(steps):
        path = folder / f"step_{step}"
        try:
            return Saved(step=step, path=path, facts=read_seal(path))
        except DamagedError as error:
            say(f"warning: {error}: this step is passed over")
    if steps:
        raise ValueError(f"all steps in {folder} are damaged: start a new run")
    return None


def list_steps(folder: Path) -> list[int]:
    """Returns the numbers of the steps in a folder, the newest last."""
    found = (_NAME.fullmatch(path.name) for path in folder.glob("step_*/"))
    return sorted(int(match[1]) for match in found if match)
