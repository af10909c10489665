"""The package that the meshes come from; it is never imported, only its files read."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

PACKAGE = "gymnasium_robotics"
EXTRA = "meshes"  # of pyproject.toml


@cache
def find_assets() -> Path | None:
    """The package's folder of MJCF files, meshes and textures; None without it."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "envs" / "assets"
    return folder if folder.is_dir() else None


def need_assets(asker: str) -> Path:
    """The same folder.

    Args:
        asker: What needs it, in words, such as "look=mesh".

    Raises:
        ValueError: The package is not installed.
    """
    folder = find_assets()
    if folder is None:
        raise ValueError(
            f"{asker} needs the extra {EXTRA}: pip install 'graspo[{EXTRA}]'"
        )
    return folder
