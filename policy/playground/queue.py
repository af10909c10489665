"""Work for other processes: one piece a core at a time, and few waiting."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from policy.rollout.crew import LostWork
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
            BusyError: Enough is waiting, or nobody could finish this.
        """
        # What nobody waits for any more still has to be done.
        self._futures = [f for f in self._futures if not f.done()]
        if len(self._futures) >= self._limit:
            raise BusyError(f"{self._limit} requests are in work: try again later")
        future = self._workers.start(work, *arguments)
        self._futures.append(future)
        try:
            return await asyncio.shield(asyncio.wrap_future(future))
        except LostWork as error:
            raise BusyError(f"the simulation came to no end: {error}") from error
