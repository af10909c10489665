"""Scripts run inside the test's own process, as a user would type them."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def call(script: str, *arguments: str) -> str:
    """Runs a script; returns what it said as it stopped, "" if it ended well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))
        patch.setattr(sys, "argv", [f"{script}.py", *arguments])
        try:
            runpy.run_path(str(ROOT / "scripts" / f"{script}.py"), run_name="__main__")
        except SystemExit as stop:
            return str(stop.code or "")
    return ""
