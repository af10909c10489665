"""A digest of every file in a directory, written last.

What its seal fits is whole and as it was written; what a full disk, a kill or a bad
block has changed is found before it is used.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

NAME = "seal.json"
_FILES = "files"


class DamagedError(ValueError):
    """A directory is not what was sealed."""


def seal(folder: Path, **facts: Any) -> None:
    """Writes the digests of a directory's files, and whatever else is to be known."""
    content = {**facts, _FILES: digest_files(folder)}
    (folder / NAME).write_text(json.dumps(content, indent=2) + "\n")


def read_seal(folder: Path) -> dict[str, Any]:
    """Returns the facts of a seal after checking the files.

    Raises:
        DamagedError: A file is missing, changed or new, or there is no seal; it is
            named.
    """
    facts, sealed = _read(folder)
    found = digest_files(folder)
    for name in sorted(sealed.keys() | found.keys()):
        if sealed.get(name) != found.get(name):
            state = "missing" if name not in found else "not what was written"
            raise DamagedError(f"{folder / name} is {state}")
    return facts


def read_facts(folder: Path) -> dict[str, Any]:
    """Returns the facts of a seal whose files have been checked before.

    Raises:
        DamagedError: There is no seal, or it is damaged.
    """
    return _read(folder)[0]


def digest_files(folder: Path) -> dict[str, str]:
    """Returns the digest of each file of a directory, by its path inside."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in files
        if path != folder / NAME
    }


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """What a seal says: the facts, and the digests."""
    try:
        facts = json.loads((folder / NAME).read_text())
        sealed = dict(facts.pop(_FILES))
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise DamagedError(f"{folder / NAME} is missing or damaged") from error
    return facts, sealed


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
