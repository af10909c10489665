"""Where conf/, assets/ and scripts/ are.

A checkout has them beside the packages. A wheel has them inside this one, since at the
top of site-packages such names belong to nobody.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

HOME = _PACKAGE if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent
"""The folder that holds all three."""


def find(path: str | Path) -> Path:
    """Returns a path as it is, or that of what comes along if only there it exists.

    Args:
        path: Such as assets/suite.json: first of the working directory, then of `HOME`.
    """
    here, there = Path(path), HOME / path
    return there if there.exists() and not here.exists() else here
