"""Threads that simulate, one for each session, and no more than there may be.

OpenGL belongs to the thread that draws. These outlive sessions, so that what one has
opened serves the next.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor


class BusyError(Exception):
    """All simulators are taken; the message says so."""


class Simulators:
    """A bounded number of threads, lent one at a time.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._lock = threading.Lock()
        self._free = [ThreadPoolExecutor(1, f"simulator-{i}") for i in range(count)]

    def take(self) -> ThreadPoolExecutor:
        """Lends a thread.

        Raises:
            BusyError: None is free.
        """
        with self._lock:
            if not self._free:
                raise BusyError(
                    f"{self.count} episodes are being played: try again later, or "
                    "start the server with more sessions="
                )
            return self._free.pop()

    def give_back(self, thread: ThreadPoolExecutor) -> None:
        """Takes a thread back."""
        with self._lock:
            self._free.append(thread)
