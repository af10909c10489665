"""In which numbers an update multiplies: measured where in doubt, kept where chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import runs
import torch

import policy
from policy.grpo.grpo import _compute_loss
from policy.model.vlm import VLM
from policy.records import Prompt
from policy.runtime import products
from policy.runtime.lanes import back_propagate
from policy.runtime.processor import Processor
from policy.training import precision
from policy.training.dry_step import build_dry_batch
from policy.training.precision import choose_precision, keep_precision

JOB = replace(runs.JOB, rollout=replace(runs.JOB.rollout, max_new_tokens=16))

PROMPT = Prompt(image=np.zeros((224, 224, 3), np.uint8), instruction="lift it")


@pytest.fixture(scope="module")
def vlm() -> VLM:
    return policy.load("tiny", device="cpu")


def pretend(monkeypatch, flags: tuple[str, ...], low: float, full: float) -> None:
    """Lets the processor have some instructions, and updates take some seconds."""
    found = Processor(name="a processor", bf16=flags)
    monkeypatch.setattr(products, "read_processor", lambda: found)
    monkeypatch.setattr(precision, "time_updates", lambda vlm, job: (low, full))


@pytest.mark.parametrize(
    ("flags", "low", "full", "wanted", "chosen", "doubtful"),
    [
        (("amx_bf16",), 1.0, 2.0, "auto", True, False),
        (("amx_bf16",), 2.0, 1.0, "auto", False, False),
        (("amx_bf16",), 0.97, 1.0, "auto", False, False),
        ((), 1.0, 2.0, "auto", False, False),
        ((), 9.0, 1.0, True, True, True),
        (("bf16",), 9.0, 1.0, True, True, False),
        (("bf16",), 1.0, 2.0, False, False, False),
    ],
)
def test_what_is_faster_is_chosen_unless_the_user_has_chosen(
    vlm, monkeypatch, flags, low, full, wanted, chosen, doubtful
) -> None:
    pretend(monkeypatch, flags, low, full)
    found = choose_precision(vlm, JOB, wanted)
    assert (found.bf16, found.doubtful) == (chosen, doubtful)


def test_a_doubtful_choice_names_what_was_measured(vlm, monkeypatch) -> None:
    pretend(monkeypatch, (), 9.0, 1.5)
    reason = choose_precision(vlm, JOB, True).reason
    assert "9.00 s in bfloat16" in reason and "1.50 s in float32" in reason
    assert reason.endswith("algo.bf16=auto is faster")


@pytest.mark.parametrize("bf16", [True, False])
@pytest.mark.parametrize("flags", [(), ("amx_bf16",)])
def test_a_run_that_goes_on_keeps_its_numbers(vlm, monkeypatch, flags, bf16) -> None:
    pretend(monkeypatch, flags, 9.0, 1.5)
    found = keep_precision(vlm, bf16)
    assert found.bf16 == bf16 and found.doubtful == (bf16 and not flags)
    missing = ", though the processor has no bfloat16 products" * found.doubtful
    assert found.reason == f"as the run began{missing}"


def test_timing_leaves_the_policy_as_it_is(vlm) -> None:
    before = {n: p.detach().clone() for n, p in vlm.model.named_parameters()}
    low, full = precision.time_updates(vlm, JOB)
    assert low > 0 and full > 0
    for name, parameter in vlm.model.named_parameters():
        assert torch.equal(parameter, before[name]) and parameter.grad is None


def test_lanes_give_the_same_gradient_in_bfloat16_every_time(vlm) -> None:
    batch = build_dry_batch(vlm, PROMPT, 4, JOB, 12)
    algo = replace(JOB.algo, bf16=True)
    found = []
    for _ in range(3):
        vlm.model.zero_grad()
        back_propagate(
            lambda rows: _compute_loss(vlm, batch, batch.mask / 48, algo, rows),
            torch.arange(4),
            2,
            vlm.model,
        )
        found.append([p.grad.clone() for p in vlm.model.parameters()])
    vlm.model.zero_grad()
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))
