"""From the command line to plain configuration, and what it names.

To import this is enough for Ctrl-C to be quiet while programs load, and for a checkout
to use its own packages, whatever is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from launching import interrupt

__all__ = ["interrupt"]


def _prefer_checkout() -> None:
    root = Path(__file__).resolve().parents[2]
    if (root / "envs").is_dir():
        sys.path.insert(0, str(root))


_prefer_checkout()
