"""Weights of few bits take steps that they could not hold."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from policy.grpo.muon import Muon
from policy.model.masters import keep_masters

RATE = 1e-5  # a hundredth of what a bfloat16 near 1 can tell apart


def build(
    kind: type[torch.optim.Optimizer],
) -> tuple[nn.Parameter, torch.optim.Optimizer]:
    weight = nn.Parameter(torch.ones(4, 4, dtype=torch.bfloat16))
    optimizer = kind([weight], lr=RATE)  # type: ignore[call-arg]
    keep_masters(optimizer)
    return weight, optimizer


def descend(weight: nn.Parameter, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        weight.sum().backward()
        optimizer.step()


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD, Muon])
def test_small_steps_add_up_and_move_the_weight_in_the_end(kind) -> None:
    weight, optimizer = build(kind)
    descend(weight, optimizer, 10)
    assert (weight == 1).all() and weight.dtype == torch.bfloat16
    master = optimizer.state[weight]["master"]
    assert master.dtype == torch.float32 and (master < 1).all()
    for group in optimizer.param_groups:
        group["lr"] = 1.0
    descend(weight, optimizer, 1)
    assert (weight < 1).all()
    assert torch.equal(weight, optimizer.state[weight]["master"].bfloat16())


def test_the_steps_are_those_of_float32_weights() -> None:
    weight, optimizer = build(torch.optim.Adam)
    whole = nn.Parameter(torch.ones(4, 4))
    plain = torch.optim.Adam([whole], lr=RATE)
    descend(weight, optimizer, 5)
    descend(whole, plain, 5)
    assert torch.equal(optimizer.state[weight]["master"], whole)


def test_gradients_add_up_in_float32() -> None:
    weight, _ = build(torch.optim.Adam)
    for scale in (1.0, 2.0**-12, 2.0**-12):  # each too small for a bfloat16 of 1
        (weight.sum() * scale).backward()
    assert weight.grad is not None and weight.grad.dtype == torch.float32
    assert (weight.grad == 1 + 2.0**-11).all()


def test_the_address_of_a_weight_stays() -> None:
    weight, optimizer = build(torch.optim.Adam)
    before = weight.data_ptr()
    descend(weight, optimizer, 2)
    assert weight.data_ptr() == before
