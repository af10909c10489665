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
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from threading import Thread
from typing import Any

import numpy as np

import envs
from envs.factors import check_choice
from envs.records import ASKED, Affordance, AnyAnswer, Outcome, ParseFailure, Plan
from envs.scene import Scene
from envs.turns import follow_up
from policy.variety import vary_scene, vary_view


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSource:
    """Where scenes come from; with a seed it names one.

    Attributes:
        envs: Registered scene names; one that is repeated comes more often.
        split: "train", "test" or "ood".
        shifts: Axes that leave their training range, for "ood"; all if empty.
        waypoints: "2d", or "3d": answers name heights, too.
        asked: One of `envs.records.ASKED`; parts of a plan are not executed.
        varied: Whether scenes look and read as others do not (`policy.variety`).
    """

    envs: tuple[str, ...]
    split: str = "train"
    shifts: tuple[str, ...] = ()
    waypoints: str = "2d"
    asked: str = Plan.asked
    varied: bool = False

    def __post_init__(self) -> None:
        """Refuse no scene at all, and an answer that nobody can be asked for."""
        if not self.envs:
            raise ValueError("envs is empty: at least one scene needed")
        check_choice("answer", self.asked, ASKED)
        if self.waypoints == "3d" and self.asked == Affordance.asked:
            raise ValueError(
                "waypoints=3d, but answer=affordance asks for no waypoints"
            )

    @property
    def name(self) -> str:
        """The scene's name; `all` of several."""
        return self.envs[0] if len(set(self.envs)) == 1 else "all"

    def check_turns(self, max_turns: int) -> None:
        """Refuses a number of turns that an episode cannot have.

        Raises:
            ValueError: It is below 1, or above 1 where nothing is executed.
        """
        if max_turns < 1:
            raise ValueError(f"max_turns is {max_turns}; at least 1 needed")
        if max_turns > 1 and self.asked != Plan.asked:
            raise ValueError(
                f"max_turns is {max_turns}, but answer={self.asked} is not executed: "
                "no turn changes anything for the next; use max_turns=1"
            )

    def make_scene(self, seed: int) -> Scene:
        """Returns the scene of a seed, its observation asking what is to be asked.

        The seed also chooses among several kinds of scenes.
        """
        name, rng = self.envs[seed % len(self.envs)], np.random.default_rng([seed, 2])
        options = vary_scene(rng) if self.varied else {}
        scene = envs.make_scene(
            name, self.split, seed, self.shifts, waypoints=self.waypoints, **options
        )
        seen = replace(scene.observation, asked=self.asked)
        if self.varied:
            parts = envs.label_parts(scene)
            image, words = vary_view(seen.image, parts, seen.instruction, rng)
            seen = replace(seen, image=image, instruction=words)
        return replace(scene, observation=seen)


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
            ProcessPoolExecutor(
                count, multiprocessing.get_context("spawn"), initializer=_start
            )
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

    def _submit_scene(self, source: SceneSource, seed: int) -> Future[Scene]:
        return self._pool.submit(source.make_scene, seed)

    def submit(
        self, scene: Scene, answers: Sequence[AnyAnswer]
    ) -> Future[Sequence[Outcome | None]]:
        """Starts to execute the answers to a scene; see `simulate`."""
        if scene.observation.asked != Plan.asked:
            return _Inline().submit(list, [None] * len(answers))
        plans = [a for a in answers if isinstance(a, Plan | ParseFailure)]
        return self._pool.submit(envs.simulate, scene, plans, 1)


class _Inline(Executor):
    """Runs work at once, in this process."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _start() -> None:
    """Ctrl-C is the parent's affair; a killed parent takes its workers along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
