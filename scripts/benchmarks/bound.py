"""Above the matrix products alone: what a stage would take if it did nothing else.

Every product that a stage makes is noted by its sizes and made again with numbers that
are already there. Fused attention and convolutions are left out, so the bound is a
little too low.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from policy.model.sharing.prefix import Branches, Prefix, prefill

from .figures import Figures, divide, summarise
from .stopwatch import time_call
from .workload import Learner, Workload

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
    """Returns how far prefill, decode and update are above their products."""
    size, learner = work.size, Learner(work.load(), work.size.passes)
    prompts, tokens = work.build_prompts(size.prompts), size.tokens[-1]
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

    def learn(_: None, lanes: int | None = None) -> None:
        learner.update(prompts, groups, lanes=lanes)

    learn_here = partial(learn, lanes=1)  # products of other threads are not seen
    rounds = size.rounds
    return {
        **_compare("prefill", lambda: None, read, rounds),
        **_compare("decode", read, decode, rounds),
        **_compare("update", lambda: None, learn, rounds, note=learn_here),
    }


def _compare(
    name: str,
    start: Callable[[], Any],
    run: Callable[[Any], Any],
    rounds: int,
    note: Callable[[Any], Any] | None = None,
) -> Figures:
    """Time of a stage over that of its products, and how many these are.

    `start` makes what it starts from; `note` does the same work where it can be seen.
    """
    given = start()
    with Products() as products:
        (note or run)(given)
    whole, bare = [], []
    for _ in range(rounds):
        given = start()
        whole.append(time_call(partial(run, given)))
        bare.append(time_call(products.repeat))
    return {
        f"bound.{name}_over_products": divide(whole, bare),
        f"bound.{name}_products": summarise([len(products.factors)]),
    }
