"""Work in lanes: each core takes some of the prompts from start to end.

Operations of a small model take a tenth of a millisecond. Split over the cores they
wait for each other more than they work: in two lanes an update of the default policy
takes a fifth less time on two cores, and sampling half. Where another process works on
a core, too, as those that simulate do, threads that wait for each other at every
operation come to a standstill: sampling then took ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from queue import SimpleQueue
from threading import Barrier
from typing import TypeVar

import torch
from torch import Tensor, nn

SMALL = 2**24  # parameters; operations of larger models fill the cores by themselves

S = TypeVar("S")
T = TypeVar("T")


def count_lanes(model: nn.Module) -> int:
    """Returns the lanes in which a model learns fastest: on a CPU, one a thread."""
    on_cpu = next(model.parameters()).device.type == "cpu"
    return torch.get_num_threads() if on_cpu and is_small(model) else 1


def is_small(model: nn.Module) -> bool:
    """Whether a model's operations are too small to fill several cores."""
    return sum(weight.numel() for weight in model.parameters()) <= SMALL


def back_propagate(
    compute: Callable[[Tensor], tuple[Tensor, T]],
    rows: Tensor,
    lanes: int,
    model: nn.Module,
) -> list[T]:
    """Adds the gradient of the loss of some groups.

    Args:
        compute: From some of the rows to their loss and whatever else is to be known;
            runs in several threads at once.
        rows: [N] groups.
        lanes: Parts into which they are dealt out, at most one a group.
        model: Its weights get the gradient, lane by lane: the sum does not depend on
            which is done first.

    Returns:
        What `compute` told beside the loss, lane by lane.
    """
    shares = [rows[lane::lanes] for lane in range(min(lanes, len(rows)))]
    if len(shares) == 1:
        loss, known = compute(rows)
        loss.backward()
        return [known]
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def differentiate(share: Tensor) -> tuple[T, Sequence[Tensor | None]]:
        loss, known = compute(share)
        return known, torch.autograd.grad(loss, weights, allow_unused=True)

    found = []
    for known, gradient in _start_threads(lanes).map(differentiate, shares):
        _add(weights, gradient)
        found.append(known)
    return found


def run_side_by_side(
    work: Callable[[S], Iterator[T]], shares: Sequence[S]
) -> Iterator[T]:
    """Runs a generator over each share in a thread of its own.

    Args:
        work: From a share to its items.
        shares: One a lane; a single one is done in this thread, by all cores.

    Yields:
        The items of all shares, each as soon as it is there.

    Raises:
        Exception: Whatever `work` raises; the other shares end first.
    """
    if len(shares) == 1:
        yield from work(shares[0])
        return
    found: SimpleQueue[T | None] = SimpleQueue()

    def collect(share: S) -> None:
        try:
            for item in work(share):
                found.put(item)
        finally:
            found.put(None)

    pool = _start_threads(len(shares))
    futures = [pool.submit(collect, share) for share in shares]
    try:
        ended = 0
        while ended < len(shares):
            item = found.get()
            ended += item is None
            if item is not None:
                yield item
    finally:
        wait(futures)  # whoever stops listening finds the lanes at rest
    for future in futures:
        future.result()


def _add(weights: Sequence[Tensor], gradient: Sequence[Tensor | None]) -> None:
    for weight, slope in zip(weights, gradient, strict=True):
        if slope is None:
            continue
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight, dtype=weight.grad_dtype)
        weight.grad += slope


@lru_cache
def _start_threads(lanes: int) -> ThreadPoolExecutor:
    """Threads of one core each. They stay: each has its own memory, warm by then."""
    threads, ready = torch.get_num_threads(), Barrier(lanes)

    def start() -> None:
        torch.set_num_threads(1)
        torch.get_num_threads()  # by this a thread takes the number over for good
        ready.wait()

    pool = ThreadPoolExecutor(lanes, "lane", start)
    list(pool.map(int, range(lanes)))
    torch.set_num_threads(threads)  # else threads of later would start with one, too
    return pool
