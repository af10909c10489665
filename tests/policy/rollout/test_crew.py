"""A crew of processes does its work, whatever becomes of single ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import Any

import psutil
import pytest

from policy.rollout.crew import Crew, Lost, LostWork
from policy.rollout.seat import LocalSeat


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    made = Crew(2, partial(LocalSeat, 20.0))
    yield made
    made.shutdown(cancel_futures=True)


def list_children() -> list[psutil.Process]:
    """The processes of crews that live."""
    found = []
    for one in psutil.Process().children():
        with suppress(psutil.Error):  # it has just died
            found += [one] if "spawn_main" in " ".join(one.cmdline()) else []
    return found


def test_results_come_back_in_the_futures_of_their_work(crew: Crew) -> None:
    futures = [crew.submit(pow, 2, n) for n in range(40)]
    assert [future.result() for future in futures] == [2**n for n in range(40)]


def test_an_error_is_raised_with_the_lines_where_it_arose(crew: Crew) -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        crew.submit(int, "x").result()
    assert "in attempt" in caught.value.__notes__[0]
    assert crew.submit(int, "7").result() == 7


@pytest.mark.parametrize("code", [0, 3])
def test_code_that_exits_is_an_error_and_not_the_end(crew: Crew, code: int) -> None:
    with pytest.raises(RuntimeError, match=f"SystemExit: {code}"):
        crew.submit(sys.exit, code).result()


def test_what_cannot_travel_is_an_error(crew: Crew) -> None:
    with pytest.raises(Exception, match="pickle"):
        crew.submit(lambda: 1).result()
    with pytest.raises(TypeError, match="pickle"):
        crew.submit(open, __file__).result()
    assert crew.submit(int, "7").result() == 7


def test_work_of_a_process_that_was_killed_is_done_again(
    crew: Crew, tmp_path: Path
) -> None:
    futures = [crew.submit(_die_once, tmp_path / str(n)) for n in range(3)]
    assert [future.result() for future in futures] == ["again"] * 3


def test_processes_killed_from_outside_lose_no_work(crew: Crew) -> None:
    crew.submit(int, "7").result()
    futures = [crew.submit(_sleep, 0.1, n) for n in range(30)]
    for _ in range(3):
        time.sleep(0.5)
        for process in list_children()[:1]:  # none while one is being replaced
            process.kill()
    assert [future.result() for future in futures] == list(range(30))


def test_work_that_kills_every_process_is_lost(crew: Crew) -> None:
    with pytest.raises(LostWork, match=r"its process ended \(-9\)"):
        crew.submit(_die).result()
    assert crew.submit(int, "7").result() == 7


@pytest.mark.parametrize(
    ("work", "argument"),
    [(time.sleep, 600), (signal.raise_signal, signal.SIGSTOP)],
    ids=["sleeps", "stops"],
)
def test_work_that_hangs_is_tried_twice_and_lost(work: Any, argument: int) -> None:
    seats: list[LocalSeat] = []

    def hire() -> LocalSeat:
        seats.append(LocalSeat(3.0))
        return seats[-1]

    crew = Crew(1, hire)
    with pytest.raises(LostWork, match="no answer within 3 s"):
        crew.submit(work, argument).result()
    assert len(seats) == 2
    crew.shutdown(cancel_futures=True)


def test_work_that_no_seat_is_there_for_is_lost_and_nobody_waits() -> None:
    def hire() -> LocalSeat:
        raise Lost("no node with a core is left", hung=False)

    alone = Crew(1, hire)
    for _ in range(2):
        with pytest.raises(LostWork, match="no node with a core"):
            alone.submit(int, "7").result(timeout=20)
    alone.shutdown()


UNGUARDED = """
from policy.rollout.crew import Crew
from policy.rollout.seat import LocalSeat

with Crew(1, LocalSeat) as crew:
    print(crew.submit(len, "abc").result())
"""


def test_a_program_that_its_workers_would_run_again_is_told_so(tmp_path) -> None:
    program = tmp_path / "unguarded.py"
    program.write_text(UNGUARDED)
    command = [sys.executable, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.endswith("must stand below: if __name__ == '__main__'\n")
    program.write_text("if __name__ == '__main__':\n" + indent(UNGUARDED, "    "))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_a_shutdown_waits_for_nobody_and_leaves_no_process() -> None:
    others = set(list_children())
    crew = Crew(2, LocalSeat)
    futures = [crew.submit(_sleep, 600, n) for n in range(4)]
    time.sleep(0.5)
    start = time.monotonic()
    crew.shutdown(cancel_futures=True)
    assert time.monotonic() - start < 60  # the work would take ten minutes
    assert wait(futures, 1).not_done == set()
    assert set(list_children()) <= others
    with pytest.raises(RuntimeError, match="after the crew was shut down"):
        crew.submit(int, "7")


@pytest.mark.skipif(sys.platform != "linux", reason="a signal that Linux has")
def test_a_killed_parent_takes_its_processes_along_even_in_c_code() -> None:
    parent = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"busy\n"
    [worker] = [
        child
        for child in psutil.Process(parent.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs([worker], timeout=2)
    assert not alive


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_once(mark: Path) -> str:
    if mark.exists():
        return "again"
    mark.touch()
    os.abort()


def _sleep(seconds: float, result: int) -> int:
    time.sleep(seconds)
    return result


def _hold_on() -> None:
    """Keeps the interpreter from running any other thread."""
    os.write(1, b"busy\n")
    sum(range(10**11))


if __name__ == "__main__":
    Crew(1, LocalSeat).submit(_hold_on).result()
