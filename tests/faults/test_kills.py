"""Trainings that are killed, again and again, end as one that nobody disturbed.

`make faults` runs these and prints how often each thing was done.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from commands import ROOT
from runs import count_steps, read_log

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
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that came to its end at once."""
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    finish(path)
    return path


def check_equal(path: Path, undisturbed: Path) -> None:
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        assert read_log(path, name) == read_log(undisturbed, name)
    assert (path / WEIGHTS).read_bytes() == (undisturbed / WEIGHTS).read_bytes()
    left = [one.name for one in (path / "checkpoints").iterdir()]
    assert len(left) == 3 and "step_12" in left  # a signal adds one between two others


def list_leftovers(path: Path) -> list[psutil.Process]:
    """Processes that still work for a run."""
    return [
        one
        for one in psutil.process_iter(["cmdline"])
        if str(path) in " ".join(one.info["cmdline"] or [])
    ]


def find_newest(path: Path) -> int:
    """The step of the newest whole checkpoint."""
    found = path.glob("checkpoints/step_*")
    return max((int(one.name.split("_")[1]) for one in found), default=0)


def list_partial(path: Path) -> list[Path]:
    return [*path.glob("checkpoints/.*.partial"), *path.glob(".final.partial")]


class Striker:
    """Sends a signal to a run at places that its own progress names.

    So that every signal strikes, whatever the speed of the machine.
    """

    def __init__(self, path: Path, number: int, *, group: bool = False) -> None:
        self.path, self.number, self.group = path, number, group
        self.expected = {0, 128 + number, -number}
        self.struck: Counter[str] = Counter()
        self.codes: Counter[int] = Counter()
        self.rng = random.Random(0)

    def repeat(self, count: int, wait: Callable[[], str], whole: Path) -> None:
        """Strikes until so many have struck; every run that ends is compared.

        Args:
            count: How many must strike.
            wait: Returns at the right moment, with the name of the place.
            whole: The run that nobody disturbed.
        """
        while self.struck.total() < count:
            self.process = go_on(self.path)
            place = wait()
            if self.process.poll() is None:
                self.send()
                self.struck[place] += 1
            _, errors = self.process.communicate(timeout=120)
            self.codes[self.process.returncode] += 1
            assert self.process.returncode in self.expected, errors.decode()
            assert b"Traceback" not in errors, errors.decode()
            assert not list_leftovers(self.path)
            if (self.path / "summary.json").exists():
                check_equal(self.path, whole)
                shutil.rmtree(self.path)
        finish(self.path)
        check_equal(self.path, whole)

    def send(self) -> None:
        if self.group:
            os.killpg(self.process.pid, self.number)
        else:
            self.process.send_signal(self.number)

    def wait_for(self, ready: Callable[[], object]) -> None:
        while self.process.poll() is None and not ready():
            time.sleep(0.002)

    def wait_for_steps(self, *counts: int) -> str:
        """Until this process has written one of these many steps, and a moment."""
        kept, count = find_newest(self.path), self.rng.choice(counts)
        if count:  # lines after the checkpoint are made anew
            self.wait_for(lambda: count_steps(self.path) <= kept)
        self.wait_for(lambda: count_steps(self.path) >= kept + count)
        time.sleep(self.rng.uniform(0, 6 if count == 0 else 0.5))
        return f"after {count} steps"


def test_twenty_kills_of_the_whole_group(undisturbed: Path, tmp_path: Path) -> None:
    striker = Striker(tmp_path / "run", signal.SIGKILL, group=True)
    striker.repeat(20, lambda: striker.wait_for_steps(0, 1, 2, 3), undisturbed)
    print(f"kills of the group: {dict(striker.struck)}")  # noqa: T201


def test_twenty_kills_within_checkpoints(undisturbed: Path, tmp_path: Path) -> None:
    """As soon as a partial directory is seen, in checkpoints/ or of final/."""
    path = tmp_path / "run"
    striker = Striker(path, signal.SIGKILL, group=True)

    def wait() -> str:
        newest, before = find_newest(path), set(list_partial(path))
        if striker.struck.total() % 2:  # let it come further, or it starts for ever
            striker.wait_for(lambda: find_newest(path) > newest or newest == 12)
        striker.wait_for(lambda: set(list_partial(path)) - before)
        return "final" if (path / ".final.partial").exists() else "checkpoints"

    striker.repeat(20, wait, undisturbed)
    print(f"kills within a checkpoint: {dict(striker.struck)}")  # noqa: T201
    assert striker.struck["final"] and striker.struck["checkpoints"]


def list_workers(process: subprocess.Popen[bytes]) -> Iterator[psutil.Process]:
    for one in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "spawn_main" in " ".join(one.cmdline()):
                yield one


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_ten_kills_of_single_workers(
    undisturbed: Path, tmp_path: Path, number: int
) -> None:
    rng, path, killed = random.Random(1), tmp_path / "run", 0
    process = go_on(path)
    while process.poll() is None:
        time.sleep(0.01)
        workers = list(list_workers(process)) if count_steps(path) >= killed else []
        if workers and killed < 10:
            time.sleep(rng.uniform(0, 0.3))  # somewhere within the step
            rng.choice(workers).send_signal(number)
            killed += 1
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    check_equal(path, undisturbed)
    assert {row["put_aside"] for row in read_log(path)} == {0}
    print(f"kills of single workers: {killed}")  # noqa: T201
    assert killed == 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_at_ten_places(undisturbed: Path, tmp_path: Path, number: int) -> None:
    striker = Striker(tmp_path / "run", number)
    striker.repeat(10, lambda: striker.wait_for_steps(0, 1), undisturbed)
    name = signal.Signals(number).name
    print(f"{name}: {dict(striker.struck)}, codes {dict(striker.codes)}")  # noqa: T201
