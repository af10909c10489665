"""A short run that stopped, to be damaged and gone on with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import call

SMALL = (
    *("env=pick_mug", "steps=2", "n=2", "videos=0", "checkpoint_every=1"),
    *("rollout.prompts=1", "rollout.num_generations=2", "rollout.workers=0"),
    *("algo.bf16=false", "log=[]", "quiet=true"),
)


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that another step would be taken in; not to be written."""
    path = tmp_path_factory.mktemp("runs") / "stopped"
    assert not call("train", *SMALL, f"run_dir={path}")
    (path / "summary.json").unlink()
    shutil.rmtree(path / "final")
    return path


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(stopped, tmp_path / "run"))
