"""MJCF files that several files of tests read."""

from __future__ import annotations

from pathlib import Path

import pytest
from mjcf_files import write_odd, write_wild


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    return write_odd(tmp_path)


@pytest.fixture
def wild(tmp_path: Path) -> Path:
    return write_wild(tmp_path)
