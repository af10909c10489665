"""How something was made: by which code, command, packages and machine.

A manifest is one flat JSON object. Two of them are compared entry by entry, which says
why the same command gives other figures.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from policy.home import HOME, find
from policy.runtime.machine import describe_machine

NAME = "manifest.json"
SUITE = "assets/suite.json"
PATIENCE_S = 5.0  # for git; a checkout on a slow disk has no commit then
OF_ITSELF = ("date", "command", "resumed")  # differ without anything being different


def make_manifest(
    command: str, precision: str, suite: str | Path | None = None
) -> dict[str, Any]:
    """Returns how something that is about to be made is made.

    Args:
        command: What was typed.
        precision: The numbers that products are of, e.g. "float32".
        suite: The file of frozen scenes; None takes the one that comes along.
    """
    commit, dirty = read_commit(HOME)
    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command,
        "commit": commit,
        "dirty": dirty,
        "precision": precision,
        "suite": digest_file(find(suite or SUITE)),
        **describe_machine(),
    }


def read_commit(folder: Path) -> tuple[str | None, bool | None]:
    """Returns the commit of a checkout, and whether tracked files were changed.

    Both are None where there is no git or the folder is no checkout: of a package that
    lies inside somebody else's, their commit says nothing.
    """
    top = _ask_git(folder, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != folder.resolve():
        return None, None
    found = _ask_git(
        folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"
    )
    if found is None:
        return None, None
    return found.removesuffix("-dirty"), found.endswith("-dirty")


def digest_file(path: Path) -> str | None:
    """Returns eight bytes, in hexadecimal, of a file's content; None without it."""
    if not path.is_file():
        return None
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()


def write_beside(path: Path, manifest: Mapping[str, Any]) -> None:
    """Writes the manifest of a file: rows.json has rows.manifest.json."""
    path.with_suffix(f".{NAME}").write_text(json.dumps(manifest, indent=2) + "\n")


def compare_manifests(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Returns the entries that differ, in one line; "" if none does.

    An entry that one of them lacks, as those of other versions may, is left out.
    """
    names = [name for name in new if name in old and name not in OF_ITSELF]
    return "; ".join(
        f"{name} was {_spell(old[name])}, is {_spell(new[name])}"
        for name in names
        if old[name] != new[name]
    )


def _spell(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) == 40 and text.isalnum() else text  # a commit


def _ask_git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
