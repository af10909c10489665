"""Muon steps as torch's does, in whichever numbers are quick."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from policy.grpo import muon
from policy.grpo.muon import Muon, orthogonalize

RATE, DECAY = 3e-3, 0.1
SHAPES = [(6, 6), (16, 4), (4, 16)]


def descend(kind: type[torch.optim.Optimizer], **settings) -> list[torch.Tensor]:
    """Returns matrices after five steps of noise, the last of them never stepped."""
    rng = torch.Generator().manual_seed(0)
    weights = [nn.Parameter(torch.randn(s, generator=rng)) for s in [*SHAPES, (3, 3)]]
    optimizer = kind(weights, lr=RATE, weight_decay=DECAY, **settings)  # type: ignore[call-arg]
    for _ in range(5):
        for weight in weights[:-1]:
            weight.grad = torch.randn(weight.shape, generator=rng)
        optimizer.step()
    return [weight.detach() for weight in weights]


def descend_as_torch_does() -> list[torch.Tensor]:
    return descend(torch.optim.Muon, adjust_lr_fn="match_rms_adamw")


def test_with_bfloat16_products_steps_are_those_of_torch(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(muon, "find_products", lambda device: "there")
    for ours, theirs in zip(descend(Muon), descend_as_torch_does(), strict=True):
        assert torch.equal(ours, theirs)


def test_without_them_they_differ_by_rounding_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(muon, "find_products", lambda device: "")
    for ours, theirs in zip(descend(Muon), descend_as_torch_does(), strict=True):
        size = 5 * RATE * 0.2 * max(ours.shape) ** 0.5  # of the steps together
        assert (ours - theirs).abs().max() < 0.05 * size


@pytest.mark.parametrize("shape", SHAPES)
def test_directions_stay_and_singular_values_come_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1)) + torch.eye(
        *shape
    )
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    assert values.max() < 100 * values.min()
    inside = left.T @ orthogonalize(matrix, torch.float32) @ right.T
    assert inside.diag().min() > 0.5 and inside.diag().max() < 1.5
    assert (inside - torch.diag(inside.diag())).abs().max() < 1e-3


def test_a_run_goes_on_from_the_state_of_torch():
    weight = nn.Parameter(torch.eye(4))
    theirs = torch.optim.Muon([weight], lr=RATE)
    weight.grad = torch.ones(4, 4)
    theirs.step()
    ours = Muon([weight], lr=1.0)
    ours.load_state_dict(theirs.state_dict())
    ours.step()
    assert ours.param_groups[0]["lr"] == RATE
    momentum = ours.state[weight]["momentum_buffer"]
    torch.testing.assert_close(momentum, torch.full((4, 4), 1 - 0.95**2))


def test_what_is_no_matrix_is_refused():
    with pytest.raises(ValueError, match=r"matrices; a parameter has shape \(3,\)"):
        Muon([nn.Parameter(torch.zeros(3))])
