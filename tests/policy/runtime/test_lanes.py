"""Lanes: the gradient is that of one pass, whichever lane is done first."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
import torch
from torch import Tensor, nn

from policy.runtime import lanes
from policy.runtime.lanes import (
    SMALL,
    back_propagate,
    count_lanes,
    run_side_by_side,
)

THREADS = 3
ROWS = torch.arange(5)
INPUTS = torch.linspace(-1, 1, 5 * 3).view(5, 3)


@pytest.fixture(autouse=True)
def _threads():
    """As many threads as on a machine of some cores, and lanes that are new."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    lanes._start_threads.cache_clear()
    yield
    torch.set_num_threads(before)


class Net(nn.Module):
    """Two layers and a weight that no loss depends on."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.idle = nn.Parameter(torch.ones(2))
        self.frozen = nn.Parameter(torch.ones(()), requires_grad=False)

    def lose(self, rows: Tensor) -> Tensor:
        return (self.frozen * self.layers(INPUTS[rows]) ** 3).sum()


def learn(net: Net, count: int, late: int = -1) -> list[list[int]]:
    """Adds the gradient in some lanes; that of row `late` takes longest."""
    start = Barrier(min(count, len(ROWS)))

    def compute(rows):
        start.wait(timeout=10)  # for the other lanes
        if late in rows.tolist():
            time.sleep(0.05)
        assert torch.get_num_threads() == (THREADS if count == 1 else 1)
        return net.lose(rows), rows.tolist()

    return back_propagate(compute, ROWS, count, net)


def read_gradients(net: Net) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}


@pytest.fixture
def expected() -> dict[str, Tensor]:
    """The gradient of one plain pass."""
    net = Net()
    net.lose(ROWS).backward()
    return read_gradients(net)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_the_gradient_is_that_of_one_pass(expected, count: int) -> None:
    net = Net()
    dealt = learn(net, count)
    assert sorted(row for share in dealt for row in share) == [0, 1, 2, 3, 4]
    assert len(dealt) == min(count, 5)
    torch.testing.assert_close(read_gradients(net), expected)
    assert len(expected) == 4 and all(slope.any() for slope in expected.values())


@pytest.mark.parametrize("count", [1, 2])
def test_gradients_of_several_passes_add_up(expected, count: int) -> None:
    net = Net()
    learn(net, count)
    learn(net, count)
    doubled = {name: 2 * gradient for name, gradient in expected.items()}
    torch.testing.assert_close(read_gradients(net), doubled)


def test_the_sum_does_not_depend_on_which_lane_is_done_first() -> None:
    found = []
    for late in (0, 1, 2):
        net = Net()
        learn(net, 3, late)
        found.append(read_gradients(net))
    assert found[0]
    for name, gradient in found[0].items():
        assert all(torch.equal(other[name], gradient) for other in found[1:])


def test_gradients_of_low_weights_add_up_in_the_type_they_ask_for() -> None:
    net = nn.Linear(2, 2, bias=False).to(torch.bfloat16)
    net.weight.grad_dtype = torch.float32
    scales = torch.tensor([1.0, 2.0**-12])  # the second too small for a bfloat16 of 1

    def compute(rows):
        return net.weight.sum() * scales[rows].bfloat16().sum(), None

    back_propagate(compute, torch.arange(2), 2, net)
    assert net.weight.grad is not None and net.weight.grad.dtype == torch.float32
    assert (net.weight.grad == 1 + 2.0**-12).all()


def test_an_error_in_a_lane_comes_out_and_the_lanes_go_on_working(expected) -> None:
    def fail(rows):
        if 0 in rows.tolist():
            return net.lose(rows), None
        raise FloatingPointError("not finite")

    net = Net()
    with pytest.raises(FloatingPointError, match="not finite"):
        back_propagate(fail, ROWS, 2, net)
    net = Net()
    assert len(learn(net, 2)) == 2
    torch.testing.assert_close(read_gradients(net), expected)


def test_lanes_leave_other_threads_their_cores() -> None:
    learn(Net(), 2)
    assert torch.get_num_threads() == THREADS
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == THREADS


def test_small_models_have_a_lane_for_each_thread_and_large_ones_a_single_one() -> None:
    assert count_lanes(Net()) == THREADS
    assert count_lanes(nn.Linear(1, SMALL, device="cpu")) == 1
    assert count_lanes(nn.Linear(1, 8, device="meta")) == 1


def test_items_come_as_soon_as_they_are_there_whichever_lane_makes_them() -> None:
    second_may_go_on = Event()

    def work(share):
        for item in share:
            if item == "late":
                assert second_may_go_on.wait(timeout=10)
            assert torch.get_num_threads() == 1
            yield item

    found = run_side_by_side(work, [["a", "b"], ["late", "d"]])
    assert {next(found), next(found)} == {"a", "b"}
    second_may_go_on.set()
    assert list(found) == ["late", "d"]


def test_one_share_is_done_by_all_threads() -> None:
    counts = run_side_by_side(lambda n: iter([torch.get_num_threads()] * n), [2])
    assert list(counts) == [THREADS] * 2


def test_whoever_stops_listening_finds_the_lanes_at_rest() -> None:
    running = []

    def work(share):
        running.append(share)
        yield share
        time.sleep(0.05)
        running.remove(share)

    found = run_side_by_side(work, [1, 2])
    next(found)
    found.close()
    assert running == []


def test_an_error_of_one_share_comes_out_after_the_items_of_the_others() -> None:
    def work(share):
        if share == 2:
            raise FloatingPointError("not finite")
        yield from (share, share)

    found = run_side_by_side(work, [1, 2])
    assert [next(found), next(found)] == [1, 1]
    with pytest.raises(FloatingPointError, match="not finite"):
        next(found)
