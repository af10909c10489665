"""Signals that ask a training to end, as batch systems send before they take a machine.

The step under way is finished, a checkpoint written, and whoever started the training
is told by the exit status.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

SIGNALS = ("SIGTERM", "SIGUSR1")  # the second as by `sbatch --signal=USR1@60`


class Stopped(Exception):
    """A training ended because a signal asked for it.

    Attributes:
        number: That of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class StopSignals:
    """Listens for signals; a context manager, of the main thread.

    Attributes:
        number: That of the signal that came, 0 before any.
    """

    def __init__(self) -> None:
        self.number = 0
        self._usual: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        for name in SIGNALS:
            if hasattr(signal, name):
                number = getattr(signal, name)
                self._usual[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raises a `Stopped` if a signal came."""
        if self.number:
            raise Stopped(self.number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
