"""Spaces of text: instructions that cross processes, and answers that can be drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils.shared_memory import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

from envs.answer import MAX_WAYPOINTS, MIN_WAYPOINTS, format_answer
from envs.contract import CHARSET, LONGEST_INSTRUCTION
from envs.records import Plan

LONGEST_ANSWER = 100_000  # characters inside the space; `step` takes any text


class Instruction(spaces.Text):
    """What a scene asks for."""

    def __init__(self) -> None:
        super().__init__(LONGEST_INSTRUCTION, charset=CHARSET)


class Answer(spaces.Text):
    """What a policy says. Any text may be; those drawn are plans at random."""

    def __init__(self) -> None:
        super().__init__(LONGEST_ANSWER, min_length=0, charset=CHARSET)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Returns the text of a random box and path.

        Raises:
            ValueError: A mask or probabilities, which are of characters.
        """
        if mask is not None or probability is not None:
            raise ValueError("answers are drawn whole: no mask, no probability")
        count = int(self.np_random.integers(MIN_WAYPOINTS, MAX_WAYPOINTS + 1))
        points = self.np_random.uniform(size=(2 + count, 2))
        (x1, y1), (x2, y2) = np.sort(points[:2], axis=0).tolist()
        path = tuple((u, v) for u, v in points[2:].tolist())
        return format_answer(Plan(box=(x1, y1, x2, y2), waypoints=path))


class _Shared(Sequence[str]):
    """Texts in memory that processes share, read whenever they are asked for.

    Gymnasium reads an observation's memory once, when it makes the environments, and
    from then on returns copies of what it got: right for arrays, which see what is
    written later, but not for strings.
    """

    def __init__(self, memory: Any, n: int) -> None:
        self._codes = np.frombuffer(memory.get_obj(), np.int32).reshape(n, -1)

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return tuple(self)[i]
        return "".join(map(chr, self._codes[i])).rstrip("\0")

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def __deepcopy__(self, memo: Any) -> tuple[str, ...]:
        return tuple(self)


@create_shared_memory.register(Instruction)
def _create(space: Instruction, n: int = 1, ctx: Any = None) -> Any:
    return ctx.Array("i", n * space.max_length)


@read_from_shared_memory.register(Instruction)
def _read(space: Instruction, memory: Any, n: int = 1) -> Any:
    return _Shared(memory, n)


@write_to_shared_memory.register(Instruction)
def _write(space: Instruction, index: int, value: str, memory: Any) -> None:
    size = space.max_length
    codes = np.frombuffer(memory.get_obj(), np.int32)
    codes[index * size : (index + 1) * size] = 0
    codes[index * size : index * size + len(value)] = [*map(ord, value)]
