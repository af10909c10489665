"""The simulators of a process that trains elsewhere: made once, closed at its exit."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import Future
from types import ModuleType
from typing import Any

from policy.rollout.config import RolloutConfig
from policy.rollout.crew import LostWork
from policy.rollout.ray_seat import Cluster
from policy.rollout.seat import LocalSeat
from policy.rollout.workers import ABANDONED, Workers
from policy.serving.judge import Verdict, judge
from rewards import RewardMix

LOST = Verdict(reward=0.0, success=False, parsed=False, reason=ABANDONED.reason)
_pools: dict[tuple[Any, ...], Workers] = {}
_opening, _starting = threading.Lock(), threading.Lock()


class _Processes:
    """This machine in the place of a cluster."""

    def __init__(self) -> None:
        self.cores = len(os.sched_getaffinity(0))

    def hire(self) -> LocalSeat:
        """Starts a process that does not run the script of this one.

        One that is started as usual does, and a script that trains without an
        `if __name__ == "__main__"` would train in each of them.
        """
        with _starting:
            script = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                return LocalSeat()
            finally:
                sys.modules["__main__"] = script

    def leave(self) -> None:
        """Nothing to leave."""


def open_pool(
    workers: int | None = None, engine: str = "local", address: str | None = None
) -> Workers:
    """Returns this process's workers, the same for equal arguments.

    Args:
        workers: How many; None is one a core, shared with the trainings that
            accelerate or torchrun started beside this one; 0 works in this process.
        engine: "local", processes of this machine, or "ray".
        address: Of the Ray cluster, or "auto"; None is the one that this process has
            joined, or starts Ray here.

    Raises:
        ValueError: An unknown engine; Ray is not installed or not found.
    """
    check_pool(workers, engine, address)
    key = (os.getpid(), workers, engine, address)  # a forked process has none yet
    with _opening:
        if key not in _pools:
            _pools[key] = _make_pool(workers, engine, address)
        return _pools[key]


def close_pools() -> None:
    """Sends all workers of this process home; they are not needed any more."""
    with _opening:
        for key in [key for key in _pools if key[0] == os.getpid()]:
            _pools.pop(key).__exit__()


atexit.register(close_pools)


def check_pool(workers: int | None, engine: str, address: str | None) -> None:
    """Refuses what no pool can be opened with, before anything is trained.

    Raises:
        ValueError: An unknown engine, or an address where there is no cluster.
    """
    RolloutConfig(workers=workers, engine=engine, address=address)


def _make_pool(workers: int | None, engine: str, address: str | None) -> Workers:
    if workers == 0:
        return Workers(0)
    sharers = os.environ.get("WORLD_SIZE" if address else "LOCAL_WORLD_SIZE", "1")
    places: Any = _Processes() if engine == "local" else Cluster(address)
    return Workers(workers, int(sharers), places)


def start_judging(
    pool: Workers, case: str, texts: Sequence[str], mix: RewardMix
) -> Future[list[Verdict]]:
    """Starts to judge the answers to one scene."""
    return pool.start(judge, case, list(texts), mix)


def give_up(texts: Sequence[str], why: LostWork) -> list[Verdict]:
    """Returns the verdicts on answers that nobody could judge, and says so."""
    warnings.warn(f"put aside: {len(texts)} answers: {why}", stacklevel=2)
    return [LOST] * len(texts)
