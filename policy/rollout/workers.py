"""Processes that build scenes and execute plans beside the training.

Half of a simulated step is Python (compiling a scene, inverse kinematics, rays), which
threads would run one after the other. Work is handed out and collected in order and
every piece depends on its arguments alone, so no result depends on timing or on how
many processes there are. This file must not import torch: the workers load it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from threading import Thread
from typing import Any, TypeVar

import envs
from envs.records import AnyAnswer, Outcome, ParseFailure, Plan
from envs.sampling.turns import follow_up
from envs.scene import Scene
from policy.rollout.scene_source import SceneSource

T = TypeVar("T")


class Workers:
    """A pool of processes; a context manager.

    Args:
        count: How many; None is one a core, 0 does the work in this process.
        sharers: Trainings that share the cores.
    """

    def __init__(self, count: int | None = None, sharers: int = 1) -> None:
        if count is None:
            count = max(1, len(os.sched_getaffinity(0)) // sharers)
        self._pool: Executor = (
            ProcessPoolExecutor(count, _get_spawning(), initializer=_start)
            if count
            else _Inline()
        )

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def make_scenes(
        self, source: SceneSource, batches: Iterable[Sequence[int]]
    ) -> Iterator[list[Scene]]:
        """Yields the scenes of each batch of seeds, always building one batch ahead."""
        return self.make_mixed((source, seeds) for seeds in batches)

    def make_mixed(
        self, batches: Iterable[tuple[SceneSource, Sequence[int]]]
    ) -> Iterator[list[Scene]]:
        """Yields the scenes of batches, each of a source of its own; see above."""
        ahead: deque[list[Future[Scene]]] = deque()
        for source, seeds in batches:
            ahead.append([self._submit_scene(source, seed) for seed in seeds])
            if len(ahead) > 1:
                yield [future.result() for future in ahead.popleft()]
        for futures in ahead:
            yield [future.result() for future in futures]

    def simulate(
        self, groups: Sequence[tuple[Scene, Sequence[AnyAnswer]]]
    ) -> Sequence[Sequence[Outcome | None]]:
        """Executes the answers to each scene, as `envs.simulate_groups` does.

        Where part of a plan was asked nothing is executed: the outcomes are None.
        """
        futures = [self.submit(*group) for group in groups]
        return [future.result() for future in futures]

    def follow_up(self, failed: Sequence[tuple[Scene, AnyAnswer]]) -> list[Scene]:
        """Returns the scenes of the turns after answers that failed."""
        futures = [self._pool.submit(follow_up, *pair) for pair in failed]
        return [future.result() for future in futures]

    def start(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Starts any other work; the function must not load torch."""
        return self._pool.submit(work, *arguments)

    def _submit_scene(self, source: SceneSource, seed: int) -> Future[Scene]:
        return self._pool.submit(source.make_scene, seed)

    def submit(
        self, scene: Scene, answers: Sequence[AnyAnswer]
    ) -> Future[Sequence[Outcome | None]]:
        """Starts to execute the answers to a scene; see `simulate`."""
        if scene.observation.answer != Plan.kind:
            return _Inline().submit(list, [None] * len(answers))
        plans = [a for a in answers if isinstance(a, Plan | ParseFailure)]
        return self._pool.submit(envs.simulate, scene, plans, 1)


class _Inline(Executor):
    """Runs work at once, in this process."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _get_spawning() -> BaseContext:
    """What starts processes from nothing, inside joblib's processes too.

    Those call their own way of starting others loky, and a child would look for it.
    """
    if multiprocessing.get_start_method(allow_none=True) == "loky":
        multiprocessing.set_start_method("spawn", force=True)
    return multiprocessing.get_context("spawn")


def _start() -> None:
    """Ctrl-C is the parent's affair; a killed parent takes its workers along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
