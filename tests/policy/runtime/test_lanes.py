"""Lanes: the gradient is that of one pass, whichever lane is done first."""

import time

import pytest
import torch
from torch import nn

from policy.runtime.lanes import SMALL, back_propagate, count_lanes

ROWS = torch.arange(5)
INPUTS = torch.linspace(-1, 1, 5 * 3).view(5, 3)


class Net(nn.Module):
    """Two layers and a weight that no loss depends on."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.idle = nn.Parameter(torch.ones(2))
        self.frozen = nn.Parameter(torch.ones(()), requires_grad=False)


def learn(net: Net, lanes: int, late: int = -1) -> list[list[int]]:
    """Adds the gradient; the lane of row `late` takes longest."""

    def compute(rows):
        if late in rows.tolist():
            time.sleep(0.05)
        assert lanes == 1 or torch.get_num_threads() == 1
        return (net.frozen * net.layers(INPUTS[rows]) ** 3).sum(), rows.tolist()

    return back_propagate(compute, ROWS, lanes, net)


def read_gradients(net: Net) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("lanes", [2, 3, 5, 8])
def test_the_gradient_is_that_of_one_pass(lanes: int) -> None:
    whole, parts = Net(), Net()
    assert learn(whole, 1) == [[0, 1, 2, 3, 4]]
    dealt = learn(parts, lanes)
    assert sorted(row for share in dealt for row in share) == [0, 1, 2, 3, 4]
    assert len(dealt) == min(lanes, 5)
    expected, found = read_gradients(whole), read_gradients(parts)
    assert expected.keys() == found.keys() and "idle" not in found
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient)


def test_gradients_of_several_passes_add_up() -> None:
    once, twice = Net(), Net()
    learn(once, 2)
    learn(twice, 2)
    learn(twice, 2)
    for name, gradient in read_gradients(once).items():
        torch.testing.assert_close(read_gradients(twice)[name], 2 * gradient)


def test_the_sum_does_not_depend_on_which_lane_is_done_first() -> None:
    found = []
    for late in (0, 1, 2):
        net = Net()
        learn(net, 3, late)
        found.append(read_gradients(net))
    for name, gradient in found[0].items():
        assert all(torch.equal(other[name], gradient) for other in found[1:])


def test_gradients_of_low_weights_add_up_in_the_type_they_ask_for() -> None:
    net = Net().to(torch.bfloat16)
    for weight in net.parameters():
        weight.grad_dtype = torch.float32

    def compute(rows):
        return net.layers(INPUTS[rows].bfloat16()).sum(), None

    back_propagate(compute, ROWS, 2, net)
    assert {g.dtype for g in read_gradients(net).values()} == {torch.float32}


def test_an_error_in_a_lane_comes_out_and_the_lanes_go_on_working() -> None:
    def fail(rows):
        raise FloatingPointError("not finite")

    with pytest.raises(FloatingPointError, match="not finite"):
        back_propagate(fail, ROWS, 2, Net())
    assert len(learn(Net(), 2)) == 2


def test_lanes_leave_other_threads_their_cores() -> None:
    before = torch.get_num_threads()
    learn(Net(), 2)
    assert torch.get_num_threads() == before


def test_small_models_have_a_lane_for_each_thread_and_large_ones_a_single_one() -> None:
    assert count_lanes(Net()) == torch.get_num_threads()
    assert count_lanes(nn.Linear(1, SMALL, device="cpu")) == 1
    assert count_lanes(nn.Linear(1, 8, device="meta")) == 1
