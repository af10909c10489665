"""Random miniatures of the architectures, written once for all files of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import BUILDERS

import policy
from policy.model.vlm import VLM


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Directories of the miniatures, by family; not to be written to."""
    root = tmp_path_factory.mktemp("miniatures")
    for family, build in BUILDERS.items():
        build(root / family)
    return {family: root / family for family in BUILDERS}


@pytest.fixture
def qwen3(homes: dict[str, Path]) -> VLM:
    return policy.load(homes["qwen3_vl"], device="cpu")
