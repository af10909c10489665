"""The policies that answer: loaded once, in the background, asked one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from envs.answer import NORMALIZED, PARSERS, format_answer
from envs.randomization.factors import check_choice
from envs.records import ParseFailure
from envs.scene import Scene
from policy.model.origin.refusals import describe
from policy.playground.queue import BusyError
from policy.rollout.play import Answerer

WAITING = 8  # questions to models; the default policy takes half a second each
FAILURES = (ImportError, MemoryError, OSError, RuntimeError)
"""Of models that lack a package, a file or memory; PyTorch says the last by a
RuntimeError."""

Loader = Callable[[], Answerer]


class Policies:
    """Policies by name; a context manager.

    Args:
        loaders: Loads models, in the background and in this order.
        scripted: Policies that need no model.
    """

    def __init__(
        self, loaders: Mapping[str, Loader], scripted: Mapping[str, Answerer]
    ) -> None:
        # A model keeps every core busy, so that two at once would each take twice as
        # long; loading stands in the same line.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._loaded = {
            name: self._thread.submit(load) for name, load in loaders.items()
        }
        self._scripted = scripted
        self._asked: list[Future[str]] = []

    def __enter__(self) -> Policies:
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def names(self) -> tuple[str, ...]:
        """What can be asked, the first by default."""
        return (*self._loaded, *self._scripted)

    async def answer(self, name: str, scene: Scene) -> str:
        """Returns what a policy says, greedily; see `answer_scene`.

        Raises:
            ValueError: It is not here, could not be loaded, or cannot answer this.
            BusyError: Enough is waiting.
        """
        check_choice("policy", name, self.names)
        if name in self._scripted:
            return answer_scene(self._scripted[name], scene)
        self._asked = [f for f in self._asked if not f.done()]
        if len(self._asked) >= WAITING:
            raise BusyError(f"{WAITING} questions are waiting: try again later")
        future = self._thread.submit(self._ask, name, scene)
        self._asked.append(future)
        return await asyncio.shield(asyncio.wrap_future(future))

    def _ask(self, name: str, scene: Scene) -> str:
        with _explain(f"policy {name!r} cannot be loaded"):
            answerer = self._loaded[name].result()
        with _explain(f"policy {name!r} cannot answer"):
            return answer_scene(answerer, scene)


@contextmanager
def _explain(what: str) -> Iterator[None]:
    """Makes one sentence of what a model fails with."""
    try:
        yield
    except FAILURES as error:
        raise ValueError(f"{what}: {describe(error)}") from error


def answer_scene(answerer: Answerer, scene: Scene) -> str:
    """Returns an answer with numbers from 0 to 1000.

    A policy of a family that counts otherwise is translated, where it can be read.
    """
    [said] = answerer([scene])
    [completion] = said.completions
    if said.codec == NORMALIZED:
        return completion.text
    answer = PARSERS[scene.observation.answer](completion.text, said.codec)
    return (
        completion.text if isinstance(answer, ParseFailure) else format_answer(answer)
    )
