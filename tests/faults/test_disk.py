"""A disk that is full or read-only, a run directory that goes away: one line each.

Needs the right to mount; `make faults` as root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from commands import ROOT, call
from runs import read_log

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk"),
]
RUN = (
    *("env=pick_mug", "steps=4", "n=2", "videos=1", "checkpoint_every=1"),
    *("rollout.prompts=1", "rollout.num_generations=2", "rollout.workers=1"),
    *("algo.bf16=false", "quiet=true"),
)
FULL = "is full: make room, then go on with resume="


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mount("-t", "tmpfs", "-o", "size=400m", "tmpfs", str(path))
    yield path
    mount("-o", "remount,rw", str(path))
    subprocess.run(["umount", "-l", str(path)], check=True)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def start(run: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE)


def fill(disk: Path, left: int) -> None:
    """Leaves so many bytes."""
    with (disk / "ballast").open("wb") as file, suppress(OSError):
        file.write(bytes(shutil.disk_usage(disk).free - left))


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def finish(run: Path) -> None:
    assert not call("train", f"resume={run}", "quiet=true")
    assert [row["step"] for row in read_log(run)] == [1, 2, 3, 4]


# What is there when the disk is filled, and what is left of it: the first that does
# not fit afterwards is a checkpoint, a line of answers, a film.
PLACES = {
    "before checkpoint": ("before.json", 100_000),
    "in checkpoint": ("checkpoints/step_1", 2_000_000),
    "in rollouts": ("checkpoints/step_2", 0),
    "in the first film": ("evaluations/images", 20_000),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_full_disk_is_one_line_and_nothing_is_lost(disk: Path, place: str) -> None:
    seen, left = PLACES[place]
    run = disk / "run"
    process = start(run, *RUN, f"run_dir={run}")
    wait_for(run / seen, process)
    fill(disk, left)
    _, said = process.communicate(timeout=300)
    print(f"{place}: {said.strip()}")  # noqa: T201
    assert process.returncode == 1 and "Traceback" not in said
    assert FULL in said.splitlines()[-1] and str(run) in said
    (disk / "ballast").unlink()
    finish(run)


def test_a_read_only_disk_is_found_before_anything_is_loaded(disk: Path) -> None:
    mount("-o", "remount,ro", str(disk))
    start_s = time.monotonic()
    said = call("train", *RUN, f"run_dir={disk / 'run'}")
    assert f"{disk / 'run'} cannot be written to" in said
    assert "\n" not in said and time.monotonic() - start_s < 30


def test_a_run_on_a_disk_that_became_read_only_goes_on_later(disk: Path) -> None:
    run = disk / "run"
    process = start(run, *RUN, f"run_dir={run}")
    wait_for(run / "checkpoints" / "step_1", process)
    process.kill()
    process.communicate()
    mount("-o", "remount,ro", str(disk))
    said = call("train", f"resume={run}")
    assert f"{run}" in said and "cannot be written to" in said and "\n" not in said
    mount("-o", "remount,rw", str(disk))
    finish(run)


def remove(run: Path) -> None:
    while run.exists():  # the run may write into it meanwhile
        shutil.rmtree(run, ignore_errors=True)


def rename(run: Path) -> None:
    run.rename(run.with_name("renamed"))


@pytest.mark.parametrize("leave", [remove, rename])
def test_a_run_directory_that_goes_away_is_named(
    tmp_path: Path, leave: Callable[[Path], None]
) -> None:
    run = tmp_path / "run"
    process = start(run, *RUN, f"run_dir={run}")
    wait_for(run / "checkpoints" / "step_1", process)
    leave(run)
    _, said = process.communicate(timeout=300)
    line = f"error: run directory {run} was removed or renamed while it was written to"
    assert said.splitlines()[-1] == line and process.returncode == 1
    if leave is rename:
        finish(tmp_path / "renamed")
