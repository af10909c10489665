"""Where the files lie that an MJCF file names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import mujoco


def spell(name: str) -> str:
    """A file's name, with the separators of this side of the world."""
    return name.replace("\\", "/")


def strip(name: str) -> str:
    """What `strippath` leaves of a file's name."""
    return PurePosixPath(spell(name)).name


def locate(file: mujoco.MjSpec, path: Path, folder: str | None, name: str) -> Path:
    """The file that an asset is read from.

    Args:
        file: What was read of the MJCF file.
        path: Where it was read from.
        folder: Its `meshdir` or `texturedir`.
        name: As the asset says it.
    """
    found = strip(name) if file.strippath else spell(name)
    return path.parent / spell(folder or "") / found
