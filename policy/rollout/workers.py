"""Processes that build scenes and execute plans beside the training.

Half of a simulated step is Python (compiling a scene, inverse kinematics, rays), which
threads would run one after the other. Work is handed out and collected in order and
every piece depends on its arguments alone, so no result depends on timing or on how
many processes there are. What nobody can finish is put aside: the scene is left out, or
the plan counts as failed, and the rest goes on.

This file must not import torch: the workers load it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar

import envs
from envs.records import AnyAnswer, Outcome, ParseFailure, Plan
from envs.sampling.turns import follow_up
from envs.scene import AnyScene, PictureConfig, Scene, SceneConfig
from policy.rollout.config import RolloutConfig
from policy.rollout.crew import Crew, LostWork
from policy.rollout.ray_seat import Cluster
from policy.rollout.seat import LocalSeat

ABANDONED = Outcome(success=False, reason="execution never ended")
AHEAD = 8  # items of a stream: enough for every core, and an episode is 15 MB
MOST_LOST = 2
"""Plans of a scene that nobody can finish until the rest is given up. Each may take two
time limits, after the two of all together: six are 12 minutes."""
AnyConfig = SceneConfig | PictureConfig
A = TypeVar("A")
B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)


class Maker(Protocol[B_co]):
    """A source of scenes, or of annotated images."""

    def choose(self, seed: int) -> AnyConfig:
        """What the one of a seed is made from."""
        ...

    def prepare(self, seed: int) -> Callable[[], B_co]:
        """What makes the one of a seed, to be sent to a process."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """Work that nobody could finish.

    Attributes:
        what: "build", "execute", "next turn", or "read" of an image.
        why: What became of those who tried.
        scene: The scene's configuration.
        answers: What was to be executed.
    """

    what: str
    why: str
    scene: AnyConfig
    answers: tuple[AnyAnswer, ...] = ()

    def __str__(self) -> str:
        return f"put aside ({self.what}): {self.scene.where}: {self.why}"


class Workers:
    """A crew of processes; a context manager.

    Attributes:
        aside: What nobody could finish, the latest last.

    Args:
        count: How many; None is one a core, 0 does the work in this process.
        sharers: Trainings that share the cores.
        cluster: Where they are, if not processes of this program; left at the end.
    """

    def __init__(
        self,
        count: int | None = None,
        sharers: int = 1,
        cluster: Cluster | None = None,
    ) -> None:
        if count is None:
            cores = cluster.cores if cluster else len(os.sched_getaffinity(0))
            count = max(1, int(cores) // sharers)
        self.aside: list[Aside] = []
        self._cluster = cluster
        hire = cluster.hire if cluster else LocalSeat
        self._crew: Executor = Crew(count, hire) if count else _Inline()

    @classmethod
    def of(cls, rollout: RolloutConfig, sharers: int = 1) -> Workers:
        """Returns the workers that a configuration asks for.

        Args:
            rollout: Names how many, and the engine.
            sharers: Trainings that share the cores.

        Raises:
            ValueError: Ray is asked for and not installed, or not found.
        """
        ray = rollout.engine == "ray" and rollout.workers != 0
        cluster = Cluster(rollout.address) if ray else None
        return cls(rollout.workers, sharers, cluster)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self._crew.shutdown(wait=True, cancel_futures=True)
        if self._cluster:
            self._cluster.leave()

    def make_scenes(
        self, source: Maker[B], batches: Iterable[Sequence[int]]
    ) -> Iterator[list[B]]:
        """Yields the scenes of each batch of seeds, always building one batch ahead."""
        return self.make_mixed((source, seeds) for seeds in batches)

    def make_mixed(
        self, batches: Iterable[tuple[Maker[B], Sequence[int]]]
    ) -> Iterator[list[B]]:
        """Yields the scenes of batches, each of a source of its own; see above."""
        ahead: deque[list[tuple[AnyConfig, Future[B]]]] = deque()
        for source, seeds in batches:
            ahead.append([self._start_scene(source, seed) for seed in seeds])
            if len(ahead) > 1:
                yield self._collect(ahead.popleft())
        for started in ahead:
            yield self._collect(started)

    def simulate(
        self, groups: Sequence[tuple[Scene, Sequence[AnyAnswer]]]
    ) -> Sequence[Sequence[Outcome | None]]:
        """Executes the answers to each scene, as `envs.simulate_groups` does.

        Where part of a plan was asked, or there is only an image, nothing is executed:
        the outcomes are None.
        """
        running = [self.submit(*group) for group in groups]
        return [one.result() for one in running]

    def follow_up(self, failed: Sequence[tuple[Scene, AnyAnswer]]) -> list[Scene]:
        """Returns the scenes of the turns after answers that failed.

        One that nobody can work out is the scene as it was.
        """
        started = [self._crew.submit(follow_up, *pair) for pair in failed]
        return [
            self._wait("next turn", future, scene.config, (answer,)) or scene
            for future, (scene, answer) in zip(started, failed, strict=True)
        ]

    def start(self, work: Callable[..., B], *arguments: Any) -> Future[B]:
        """Starts any other work; the function must not load torch.

        Its result raises a `LostWork` if nobody could finish it.
        """
        return self._crew.submit(work, *arguments)

    def stream(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B | str]:
        """Yields what work makes of items, in their order, a few always ahead.

        Whatever work gets and gives has to be such as can be sent to a process. In the
        place of what nobody could finish is why not.
        """
        items = iter(items)
        waiting = deque(self.start(work, item) for item in islice(items, AHEAD))
        while waiting:
            try:
                yield waiting.popleft().result()
            except LostWork as lost:
                yield str(lost)
            waiting.extend(self.start(work, item) for item in islice(items, 1))

    def submit(self, scene: AnyScene, answers: Sequence[AnyAnswer]) -> Running:
        """Starts to execute the answers to a scene; see `simulate`."""
        if not isinstance(scene, Scene) or scene.observation.answer != Plan.kind:
            return Running(self, len(answers), None)
        plans = [a for a in answers if isinstance(a, Plan | ParseFailure)]
        future = self._crew.submit(envs.simulate, scene, plans, 1)
        return Running(self, len(answers), (scene, plans, future))

    def _execute_apart(
        self, scene: Scene, answers: Sequence[Plan | ParseFailure], why: str
    ) -> list[Outcome]:
        """Executes each plan by itself, so that one that nobody can finish fails alone.

        Answers that could not be read keep the parser's reason. What is lost is put
        aside, as are the plans after `MOST_LOST`.
        """
        plans = {a.strip(): a for a in answers if isinstance(a, Plan)}
        started = {
            key: self._crew.submit(envs.simulate, scene, [plan], 1)
            for key, plan in plans.items()
        }
        found = _wait_apart(started)
        gone = tuple(plan for key, plan in plans.items() if key not in found)
        if gone:
            aside = Aside(what="execute", why=why, scene=scene.config, answers=gone)
            self.aside.append(aside)
        return [
            found.get(answer.strip(), ABANDONED)
            if isinstance(answer, Plan)
            else Outcome(success=False, reason=answer.reason)
            for answer in answers
        ]

    def _start_scene(self, source: Maker[B], seed: int) -> tuple[AnyConfig, Future[B]]:
        return source.choose(seed), self._crew.submit(source.prepare(seed))

    def _collect(self, started: Sequence[tuple[AnyConfig, Future[B]]]) -> list[B]:
        """The scenes, but those put aside."""
        scenes = [self._wait("build", future, config) for config, future in started]
        return [scene for scene in scenes if scene is not None]

    def _wait(
        self,
        what: str,
        future: Future[B],
        scene: AnyConfig,
        answers: Sequence[AnyAnswer] = (),
    ) -> B | None:
        """Returns a result; None of what nobody could finish, which is put aside."""
        try:
            return future.result()
        except LostWork as lost:
            aside = Aside(what=what, why=str(lost), scene=scene, answers=tuple(answers))
            self.aside.append(aside)
            return None


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """Answers to a scene that are being executed.

    Attributes:
        workers: Who executes them.
        count: How many answers.
        started: The scene, the answers, and the outcomes to come; None where nothing is
            executed.
    """

    workers: Workers
    count: int
    started: tuple[Scene, Sequence[Plan | ParseFailure], Future[list[Outcome]]] | None

    def result(self) -> Sequence[Outcome | None]:
        """Waits for the outcomes, one an answer; None where nothing is executed."""
        if self.started is None:
            return [None] * self.count
        scene, answers, future = self.started
        try:
            return future.result()
        except LostWork as lost:
            return self.workers._execute_apart(scene, answers, str(lost))


def _wait_apart(
    started: Mapping[Plan, Future[list[Outcome]]],
) -> dict[Plan, Outcome]:
    """Returns the outcomes of plans that are executed one by one, by their keys.

    The plans after `MOST_LOST` have none, whatever has become of them by then: outcomes
    must not depend on who was quicker.
    """
    found: dict[Plan, Outcome] = {}
    lost = 0
    for key, future in started.items():
        if lost == MOST_LOST:
            future.cancel()
            continue
        try:
            [found[key]] = future.result()
        except LostWork:
            lost += 1
    return found


class _Inline(Executor):
    """Runs work at once, in this process."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future
