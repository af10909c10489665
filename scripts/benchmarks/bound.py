"""Above the matrix products alone: what a stage would take if it did nothing else.

What the comparison with TRL times (`trl.g8_t12.speedup`, say) is measured here, too:
times `bound.g8_t12_over_products` it is what products alone would come to.

Every product that a stage makes is noted by its sizes and made again with numbers that
are already there. Fused attention and convolutions are left out, so the bound is a
little too low.

Where training works in lanes of one core (`policy.runtime.lanes`), one core does the
work of all of them here, a stage and its products alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from policy.model.sharing.prefix import Branches, Prefix, prefill
from policy.records import Prompt
from policy.runtime.clock import Clock
from policy.runtime.lanes import count_lanes

from .figures import Figures, divide, summarise
from .stopwatch import time_call
from .workload import FixedLength, Size, Workload

_PRODUCTS = {
    torch.ops.aten.mm.default: slice(0, 2),
    torch.ops.aten.bmm.default: slice(0, 2),
    torch.ops.aten.addmm.default: slice(1, 3),
    torch.ops.aten.baddbmm.default: slice(1, 3),
}
Factors = tuple[Tensor, Tensor]


class Products(TorchDispatchMode):
    """Notes the factors of every matrix product, as new numbers in the same layout.

    Attributes:
        factors: In the order of the products; those of equal layout are the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.factors: list[Factors] = []
        self._known: dict[tuple[Any, ...], Factors] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Notes a call and lets it happen."""
        if func in _PRODUCTS:
            pair = args[_PRODUCTS[func]]
            key = tuple((f.shape, f.stride(), f.dtype) for f in pair)
            if key not in self._known:
                left, right = (torch.empty_like(f).normal_() for f in pair)
                self._known[key] = (left, right)
            self.factors.append(self._known[key])
            return func(*args, **(kwargs or {}))
        with self:  # without gradients a linear layer arrives whole
            parts = func.decompose(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if parts is NotImplemented else parts

    @torch.inference_mode()
    def repeat(self) -> None:
        """Makes the products again."""
        for left, right in self.factors:
            torch.matmul(left, right)


def measure_bounds(work: Workload) -> Figures:
    """Returns how far prefill, decode, update and all of them are above products."""
    learner = FixedLength(work.load(), work.size.passes)
    prompts = work.build_prompts(work.size.prompts)
    with _take_one_lane(count_lanes(learner.vlm.model)):
        stages = _measure_stages(learner, prompts, work.size)
        return stages | _measure_whole(learner, prompts, work.size)


@contextmanager
def _take_one_lane(lanes: int) -> Iterator[None]:
    """Leaves this thread as many cores as one of several lanes has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(threads // lanes)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _measure_stages(
    learner: FixedLength, prompts: Sequence[Prompt], size: Size
) -> Figures:
    """The stages one after the other, in this thread, where products are seen."""
    tokens, rounds = size.tokens[-1], size.rounds
    groups = learner.sample(prompts, size.groups[-1], tokens)
    model: Any = learner.vlm.model
    inputs = {
        name: value.to(model.device)
        for name, value in learner.vlm.processor.encode(prompts).items()
    }
    said = torch.tensor([c.token_ids for row in groups for c in row])
    columns = said.to(model.device).split(1, dim=1)

    @torch.inference_mode()
    def read(_: None = None) -> Prefix:
        return prefill(model, inputs)

    @torch.inference_mode()
    def decode(prefix: Prefix) -> None:
        branches = Branches(model, prefix, size.groups[-1], room=tokens)
        for column in columns[:-1]:
            branches.extend(column)

    def learn(_: None) -> None:
        learner.update(prompts, groups)

    return {
        **_compare("prefill", lambda: None, read, rounds),
        **_compare("decode", read, decode, rounds),
        **_compare("update", lambda: None, learn, rounds),
    }


def _measure_whole(
    learner: FixedLength, prompts: Sequence[Prompt], size: Size
) -> Figures:
    """Sampling and update, for each length of answers that TRL is compared at."""
    group, figures = size.groups[-1], {}
    for tokens in size.tokens:

        def run(_: None, tokens: int = tokens) -> None:
            learner.run(prompts, group, tokens, Clock())

        name = f"g{group}_t{tokens}"
        figures |= _compare(name, lambda: None, run, size.rounds)
    return figures


def _compare(
    name: str, start: Callable[[], Any], run: Callable[[Any], Any], rounds: int
) -> Figures:
    """Time of a stage over that of its products, and how many these are.

    `start` makes what it starts from.
    """
    given = start()
    with Products() as products:
        run(given)
    whole, bare = [], []
    for _ in range(rounds):
        given = start()
        whole.append(time_call(partial(run, given)))
        bare.append(time_call(products.repeat))
    return {
        f"bound.{name}_over_products": divide(whole, bare),
        f"bound.{name}_products": summarise([len(products.factors)]),
    }
