"""Work for other processes: one piece a core at a time, and few waiting."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from typing import Any, TypeVar

from policy.rollout.workers import Workers

WAITING = 8  # pieces; one takes a second at most, a film two

T = TypeVar("T")


class BusyError(Exception):
    """There is more to do than a queue takes; the message says so."""


class WorkQueue:
    """Runs functions in processes; a context manager.

    Args:
        workers: How many processes; None is one a core, 0 works in this one.
        waiting: How many pieces may wait for one.
    """

    def __init__(self, workers: int | None = None, waiting: int = WAITING) -> None:
        self._count = workers
        cores = len(os.sched_getaffinity(0)) if workers is None else max(workers, 1)
        self._limit = cores + waiting
        self._workers = Workers(workers)
        self._futures: list[Future[Any]] = []

    def __enter__(self) -> WorkQueue:
        return self

    def __exit__(self, *error: object) -> None:
        self._workers.__exit__(*error)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Runs a function that can be sent to a process, and awaits its result.

        Raises:
            BusyError: Enough is waiting, or a process has died, and with it all that
                was in work; the next call gets new ones.
        """
        # What nobody waits for any more still has to be done.
        self._futures = [f for f in self._futures if not f.done()]
        if len(self._futures) >= self._limit:
            raise BusyError(f"{self._limit} requests are in work: try again later")
        workers = self._workers
        try:
            future = workers.start(work, *arguments)
            self._futures.append(future)
            return await asyncio.shield(asyncio.wrap_future(future))
        except BrokenExecutor as error:
            if self._workers is workers:
                self._workers = Workers(self._count)
            raise BusyError("a simulation's process has died: try again") from error
