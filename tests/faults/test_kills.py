"""Trainings that are killed, again and again, end as one that nobody disturbed.

`make faults` runs these and prints how often each thing was done.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from commands import ROOT
from runs import read_log

pytestmark = pytest.mark.faults
RUN = (
    *("env=pick_mug", "steps=12", "n=4", "videos=1", "checkpoint_every=2"),
    *("rollout.prompts=2", "rollout.num_generations=2", "rollout.workers=2"),
    *("algo.bf16=false", "quiet=true"),
)
WEIGHTS = "final/model.safetensors"


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """A training in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def go_on(path: Path) -> subprocess.Popen[bytes]:
    """Starts the run of a directory, or goes on with it."""
    if (path / "config.yaml").exists():
        return start(f"resume={path}")
    shutil.rmtree(path, ignore_errors=True)  # killed before anything was written
    return start(*RUN, f"run_dir={path}")


def finish(path: Path) -> None:
    """Lets the run come to its end."""
    process = go_on(path)
    _, errors = process.communicate(timeout=600)
    done = b"steps are done" in errors
    assert process.returncode == 0 or done, errors.decode()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A run, and the seconds it took."""
    path, begin = tmp_path_factory.mktemp("runs") / "undisturbed", time.monotonic()
    finish(path)
    return path, time.monotonic() - begin


def check_equal(path: Path, undisturbed: Path) -> None:
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        assert read_log(path, name) == read_log(undisturbed, name)
    assert (path / WEIGHTS).read_bytes() == (undisturbed / WEIGHTS).read_bytes()
    left = [one.name for one in (path / "checkpoints").iterdir()]
    assert sorted(left) == ["step_10", "step_12", "step_8"]


def list_leftovers(path: Path) -> list[psutil.Process]:
    """Processes that still work for a run."""
    return [
        one
        for one in psutil.process_iter(["cmdline"])
        if str(path) in " ".join(one.info["cmdline"] or [])
    ]


def test_twenty_kills_of_the_whole_group(undisturbed, tmp_path: Path) -> None:
    whole, seconds = undisturbed
    rng, path, at = random.Random(0), tmp_path / "run", Counter()
    for _ in range(20):
        process = go_on(path)
        time.sleep(rng.uniform(0.1, 0.8) * seconds)
        at["after the end" if process.poll() is not None else "while it ran"] += 1
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not list_leftovers(path)
    finish(path)
    check_equal(path, whole)
    print(f"kills of the group: {dict(at)}")  # noqa: T201


def test_twenty_kills_within_checkpoints(undisturbed, tmp_path: Path) -> None:
    """As soon as a partial directory is seen, in checkpoints/ or of final/."""
    whole, _ = undisturbed
    path, killed = tmp_path / "run", Counter()
    for _ in range(20):
        process = go_on(path)
        while process.poll() is None:
            found = [*path.glob("checkpoints/.*.partial"), *path.glob(".final.partial")]
            if found:
                os.killpg(process.pid, signal.SIGKILL)
                killed[found[0].parent.name] += 1
                break
            time.sleep(0.002)
        process.communicate()
        if (path / "summary.json").exists():
            break
        if sum(killed.values()) % 2:  # let it come further, or it starts for ever
            process = go_on(path)
            steps = len(read_log(path)) + 2 if (path / "metrics.jsonl").exists() else 2
            while process.poll() is None and _count(path) < steps:
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            process.communicate()
    finish(path)
    check_equal(path, whole)
    print(f"kills within a checkpoint: {dict(killed)}")  # noqa: T201
    assert sum(killed.values()) >= 3


def _count(path: Path) -> int:
    metrics = path / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_ten_kills_of_single_workers(undisturbed, tmp_path: Path, number: int) -> None:
    whole, seconds = undisturbed
    rng, path, killed = random.Random(1), tmp_path / "run", 0
    process = go_on(path)
    while process.poll() is None:
        time.sleep(rng.uniform(0.02, 0.1) * seconds)
        workers = [
            one
            for one in psutil.Process(process.pid).children()
            if "spawn_main" in " ".join(one.cmdline())
        ]
        if workers and killed < 10:
            rng.choice(workers).send_signal(number)
            killed += 1
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    check_equal(path, whole)
    assert {row["put_aside"] for row in read_log(path)} == {0}
    print(f"kills of single workers: {killed}")  # noqa: T201


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_at_ten_places(undisturbed, tmp_path: Path, number: int) -> None:
    whole, seconds = undisturbed
    path, codes = tmp_path / "run", Counter()
    for place in range(10):
        process = go_on(path)
        time.sleep((0.1 + 0.07 * place) * seconds)
        if process.poll() is None:
            process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        codes[process.returncode] += 1
        assert b"Traceback" not in errors, errors.decode()
        assert not list_leftovers(path)
    finish(path)
    check_equal(path, whole)
    assert set(codes) <= {0, 1, 128 + number, -number}
    print(f"{signal.Signals(number).name}: exit codes {dict(codes)}")  # noqa: T201
