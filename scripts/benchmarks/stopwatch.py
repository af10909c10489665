"""Seconds of stages that lie inside functions of the library, which stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from inspect import isgeneratorfunction
from threading import Lock, current_thread, local, main_thread
from typing import Any
from unittest.mock import patch

import torch

from policy.runtime.clock import Clock
from policy.runtime.memory import GIB


class Stopwatch(Clock):
    """A clock by which time in an inner stage is not time in the outer one.

    A second in one of several lanes (`policy.runtime.lanes`) counts as its part of a
    second: the stages together are the time that passed.

    Args:
        lanes: That work side by side, at most one a prompt.
    """

    def __init__(self, lanes: int) -> None:
        super().__init__()
        self._inner = [0.0]  # of this thread
        self._lanes = lanes
        self._lane, self._lock = local(), Lock()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Adds the time inside the `with` block to a stage."""
        in_lane = current_thread() is not main_thread()
        inner = vars(self._lane).setdefault("inner", [0.0]) if in_lane else self._inner
        part = 1 / self._lanes if in_lane else 1.0
        inner.append(0.0)
        start = now()
        try:
            yield
        finally:
            spent = now() - start
            own = spent - inner.pop()
            inner[-1] += spent
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + part * own
                if in_lane and len(inner) == 1:
                    self._inner[-1] += part * spent


def now() -> float:
    """Returns the time in seconds, with all that a GPU was given to do done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def time_call(run: Callable[[], Any]) -> float:
    """Returns the seconds of a call."""
    start = now()
    run()
    return now() - start


def take_gpu_peak_gib() -> float:
    """Returns the most GPU memory held since the last call; 0 without a GPU."""
    if not torch.cuda.is_available():
        return 0.0
    peak = torch.cuda.max_memory_allocated() / GIB
    torch.cuda.reset_peak_memory_stats()
    return peak


@contextmanager
def watch(clock: Clock, places: Mapping[str, tuple[Any, str]]) -> Iterator[None]:
    """Measures each call of some functions; of a generator, each item it makes.

    Args:
        clock: Told the seconds.
        places: Name of a stage to the module, object or dictionary that holds its
            function, and the name there.
    """
    with ExitStack() as stack:
        for stage, (owner, name) in places.items():
            if isinstance(owner, dict):
                timed = {name: _measure(clock, stage, owner[name])}
                stack.enter_context(patch.dict(owner, timed))
            else:
                timed = _measure(clock, stage, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, timed))
        yield


def _measure(clock: Clock, stage: str, run: Callable[..., Any]) -> Callable[..., Any]:
    if isgeneratorfunction(run):
        return _measure_items(clock, stage, run)

    @wraps(run)
    def measured(*args: Any, **kwargs: Any) -> Any:
        with clock.measure(stage):
            return run(*args, **kwargs)

    return measured


def _measure_items(
    clock: Clock, stage: str, run: Callable[..., Any]
) -> Callable[..., Any]:
    @wraps(run)
    def measured(*args: Any, **kwargs: Any) -> Iterator[Any]:
        items, end = run(*args, **kwargs), object()
        while True:
            with clock.measure(stage):
                item = next(items, end)
            if item is end:
                return
            yield item

    return measured
