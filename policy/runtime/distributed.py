"""Processes that train one policy together: prompts are split over them, groups never.

`accelerate launch` and `torchrun` start them and say so in the environment. Every
process answers its share of a step's prompts, all exchange their groups, so advantages
and denominators are those of the whole step, and each back-propagates its share of the
groups. Gradients are added up, so all take the step that one process would.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

PATIENCE = timedelta(days=1)  # the others wait while the first evaluates

T = TypeVar("T")
S = TypeVar("S", bound=Sequence | Tensor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """One process among others; alone by default.

    Attributes:
        rank: Its number.
        size: Processes there are.
        local_size: Those of them on this machine.
    """

    rank: int = 0
    size: int = 1
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that evaluates, logs and saves."""
        return self.rank == 0

    def share(self, items: S) -> S:
        """Returns this process's part of what all have; parts differ by one at most."""
        start, end = (len(items) * r // self.size for r in (self.rank, self.rank + 1))
        return items[start:end]  # type: ignore[return-value]

    def gather(self, items: Sequence[T]) -> list[T]:
        """Returns the items of all processes, in their order, its own as they are."""
        parts: list[Any] = [list(items)] * self.size
        if self.size > 1:
            distributed.all_gather_object(parts, list(items))
            parts[self.rank] = items
        return [item for part in parts for item in part]

    def tell(self, value: T) -> T:
        """Returns the first process's value in all of them."""
        box: list[Any] = [value]
        if self.size > 1:
            distributed.broadcast_object_list(box)
        return box[0]

    def add(self, values: Tensor) -> Tensor:
        """Returns the sum over all processes of a tensor on the CPU."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def add_up(self, model: nn.Module, loss: float) -> float:
        """Adds the gradients of a model over all processes; returns the summed loss."""
        if self.size == 1:
            return loss
        trained = [p for p in model.parameters() if p.requires_grad]
        for p in trained:
            if p.grad is None:
                p.grad = torch.zeros_like(p, dtype=p.grad_dtype)
        sums = [distributed.all_reduce(p.grad, async_op=True) for p in trained]
        for work in sums:
            work.wait()  # type: ignore[union-attr]
        return float(self.add(torch.tensor([loss], dtype=torch.float64)))


ALONE = Team()


@contextmanager
def join_team() -> Iterator[Team]:
    """Yields this process's place among those started with it, if there are any."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)
    yield Team(
        rank=distributed.get_rank(),
        size=size,
        local_size=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
    )
    distributed.destroy_process_group()
