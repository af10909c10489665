"""An update through the shared prompt is the update without sharing, on every model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from compared import (
    SAMPLING,
    Recorder,
    answer_randomly,
    build_home,
    find_worst,
    learn,
    load_free,
)

from policy.grpo.batch import Batch
from policy.grpo.config import GRPOConfig
from policy.grpo.credit import build_batch
from policy.model.vlm import VLM

FAMILIES = ("qwen3_vl", "qwen2_5_vl", "smolvlm", "text")  # the last two: no M-RoPE
PLAIN = GRPOConfig(
    part_weight=0.0, beta=0.04, tokens_per_forward=0, max_grad_norm=torch.inf
)
CONFIGS = {
    "token": PLAIN,
    "sequence": replace(
        PLAIN, loss_type="grpo", importance_sampling_level="sequence", beta=0.0
    ),
    "prompt by prompt": replace(PLAIN, tokens_per_forward=1),
}


class Unshared:
    """A policy that runs prompt and image again for every answer."""

    def __init__(self, vlm: VLM) -> None:
        self._vlm = vlm
        self.score, self.reference = vlm.score_plain, vlm.reference
        self.count_tokens = vlm.count_tokens

    @property
    def model(self):
        return self._vlm.model


@pytest.fixture(scope="module", params=FAMILIES)
def vlm(request, tmp_path_factory) -> VLM:
    return load_free(build_home(tmp_path_factory.mktemp("policies"), request.param))


@pytest.fixture(scope="module")
def batch(vlm: VLM) -> Batch:
    """Answers of 1 to 12 tokens, off-policy by up to a factor of e."""
    batch, _ = build_batch(vlm, answer_randomly(vlm), PLAIN, SAMPLING)
    noise = 2 * torch.rand_like(batch.mask) - 1
    return replace(batch, old_logprobs=batch.old_logprobs + noise * batch.mask)


@pytest.mark.parametrize("way", ["unshared", "three lanes"])
@pytest.mark.parametrize("name", CONFIGS)
def test_loss_and_gradient_are_those_of_other_ways(
    vlm: VLM, batch: Batch, name: str, way: str
) -> None:
    config = CONFIGS[name]
    shared, other = Recorder(vlm.model), Recorder(vlm.model)
    found = learn(vlm, shared, batch, config)
    if way == "unshared":
        expected = learn(Unshared(vlm), other, batch, config)
    else:
        expected = learn(vlm, other, batch, config, lanes=3)
    assert found.loss == pytest.approx(expected.loss, rel=1e-5, abs=1e-7)
    assert found.kl == pytest.approx(expected.kl, rel=1e-5, abs=1e-7)
    assert found.clip_fraction == expected.clip_fraction > 0
    assert find_worst(shared.gradients, other.gradients) < 1e-5
