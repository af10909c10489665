"""A process of this machine that does what it is given, until this one ends.

This file must not import torch: the processes load it.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any

from policy.rollout.crew import Lost

LIMIT_S = 120.0
"""A piece of work takes a tenth of a second, the first with its imports three; on a
machine with much else to do some tens of times as long."""
UNSTARTED = (
    "a worker process failed as it started; it imports the program that was run, whose "
    "work must stand below: if __name__ == '__main__'"
)
_PR_SET_PDEATHSIG = 1


class LocalSeat:
    """A process; a seat of a `Crew`.

    Args:
        limit_s: Seconds that a piece of work may take.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        context = _get_spawning()
        self._limit_s, self._up = limit_s, False
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # or its end would never show here

    def do(self, work: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Returns what the work returns; see `Seat`.

        Raises:
            RuntimeError: The process failed before it came to any work.
        """
        hung = threading.Event()
        late = threading.Timer(self._limit_s, self._give_up, (hung,))
        late.start()  # it also ends a process that does not even read
        try:
            self._await_start()
            self._pipe.send((work, args))
            succeeded, value = pickle.loads(self._pipe.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._explain(hung.is_set()) from error
        finally:
            late.cancel()
        if not succeeded:
            raise value
        return value

    def leave(self) -> None:
        """Kills the process; the thread that waits for it sees the pipe end."""
        self._process.kill()
        self._process.join()

    def _give_up(self, hung: threading.Event) -> None:
        hung.set()  # before the pipe ends, which the other thread waits for
        self._process.kill()

    def _await_start(self) -> None:
        if not self._up:
            self._pipe.recv_bytes()
            self._up = True

    def _explain(self, hung: bool) -> Exception:
        if hung:
            return Lost(f"no answer within {self._limit_s:g} s", hung=True)
        self._process.join(5)
        # Below zero it was killed; above, any other would fail as it did.
        if not self._up and (self._process.exitcode or 0) > 0:
            return RuntimeError(UNSTARTED)
        return Lost(f"its process ended ({self._process.exitcode})", hung=False)


def _get_spawning() -> SpawnContext:
    """What starts processes from nothing, inside joblib's processes too.

    Those call their own way of starting others loky, and a child would look for it.
    """
    if multiprocessing.get_start_method(allow_none=True) == "loky":
        multiprocessing.set_start_method("spawn", force=True)
    return multiprocessing.get_context("spawn")


def _serve(pipe: Connection) -> None:
    """Works until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    _die_with_parent()
    pipe.send_bytes(b"")  # it is up
    while True:
        try:
            work, args = pipe.recv()
        except EOFError:
            return
        pipe.send_bytes(attempt(work, args))


def attempt(work: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    """Returns pickled whether the work returned, and what it returned or raised."""
    try:
        return pickle.dumps((True, work(*args)))
    except BaseException as error:  # noqa: BLE001 a guest's code may exit
        return _pickle_error(error)


def _pickle_error(error: BaseException) -> bytes:
    """An error as it can travel, with the lines where it arose as its cause."""
    story = "".join(traceback.format_exception(error))
    if not isinstance(error, Exception):
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.__cause__, error.__traceback__ = None, None
    error.add_note(story)
    try:
        pickle.loads(said := pickle.dumps((False, error)))
    except Exception:  # noqa: BLE001 an error may be of any make
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return said


def _die_with_parent() -> None:
    """Has the system kill this process as soon as the other is gone, even in C code."""
    if sys.platform != "linux":
        return  # there the end of the pipe tells, between two pieces of work
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)  # it was gone before
