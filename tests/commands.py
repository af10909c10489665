"""Scripts run inside the test's own process, as a user would type them."""

import io
import runpy
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def call(script: str, *arguments: str) -> str:
    """Runs a script; returns what it said as it stopped, "" if it ended well."""
    errors = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(errors):
        patch.syspath_prepend(str(ROOT / "scripts"))
        patch.setattr(sys, "argv", [f"{script}.py", *arguments])
        try:
            runpy.run_path(str(ROOT / "scripts" / f"{script}.py"), run_name="__main__")
        except SystemExit as stop:
            said = stop.code if isinstance(stop.code, str) else errors.getvalue()
            return said.strip() if stop.code else ""
    return ""
