"""An executor that outlasts whatever happens to the processes that do its work.

One that dies, or takes longer than any work should, is replaced and its work done again
by another. As a piece of work depends on its arguments alone, nobody sees a difference.
Each seat of the crew has a thread that hands out work, and a pipe that nobody shares:
a process that is killed leaves no lock behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

PATIENCE = 3  # deaths until work is put aside; a time limit passed counts as two

T = TypeVar("T")


class Lost(Exception):
    """A seat gave no answer.

    Attributes:
        hung: Whether its time was up.
    """

    def __init__(self, why: str, *, hung: bool) -> None:
        super().__init__(why)
        self.hung = hung


class LostWork(RuntimeError):
    """Nobody could finish a piece of work."""


class Seat(Protocol):
    """Where one piece of work at a time is done; `LocalSeat` is one."""

    def do(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        """Returns what the work returns, and raises what it raises.

        Raises:
            Lost: No answer; the seat is of no further use.
        """
        ...

    def leave(self) -> None:
        """Ends whatever goes on here, at once; from any thread, as often as it may."""
        ...


@dataclass(slots=True, eq=False)
class _Task:
    work: Callable[..., Any]
    args: tuple[Any, ...]
    future: Future = field(default_factory=Future)
    patience: int = PATIENCE


class Crew(Executor):
    """Does work in several seats, first come, first served.

    Args:
        count: Number of seats.
        hire: Makes a seat, or raises a `Lost`; called in the thread that will use it.
    """

    def __init__(self, count: int, hire: Callable[[], Seat]) -> None:
        self._hire = hire
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._seats: dict[int, Seat] = {}
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._serve, args=(place,), daemon=True)
            for place in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Hands in work; keyword arguments are not taken.

        Raises:
            RuntimeError: The crew has been shut down.
        """
        if kwargs:
            raise TypeError(f"{sorted(kwargs)}: work takes positional arguments")
        if self._closed.is_set():
            raise RuntimeError("work handed in after the crew was shut down")
        task = _Task(fn, args)
        self._tasks.put(task)
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Sends everybody home; work that was handed in is finished or cancelled."""
        if cancel_futures:
            self._closed.set()
            for seat in list(self._seats.values()):
                seat.leave()
        for _ in self._threads:
            self._tasks.put(None)
        if wait:
            for thread in self._threads:
                thread.join()
        self._closed.set()

    def _serve(self, place: int) -> None:
        """Does one task after the other, in seats of its own."""
        while (task := self._tasks.get()) is not None:
            if self._closed.is_set():
                task.future.cancel()
            if task.future.set_running_or_notify_cancel():
                self._do(task, place)
        if seat := self._seats.pop(place, None):
            seat.leave()

    def _do(self, task: _Task, place: int) -> None:
        while True:
            try:
                if place not in self._seats:
                    self._seats[place] = self._hire()
                result = self._seats[place].do(task.work, task.args)
            except Lost as lost:
                if seat := self._seats.pop(place, None):  # none where none was hired
                    seat.leave()
                task.patience -= 2 if lost.hung else 1
                if task.patience <= 0 or self._closed.is_set():
                    task.future.set_exception(LostWork(str(lost)))
                    return
            except BaseException as error:  # noqa: BLE001 the future raises it
                task.future.set_exception(error)
                return
            else:
                task.future.set_result(result)
                return
