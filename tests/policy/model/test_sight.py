"""A frozen image encoder runs in sampling alone; what it made serves the update."""

from __future__ import annotations

import copy
import gc
import inspect
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from compared import (
    SHORT,
    TEMPERATURE,
    WORDS,
    build_home,
    draw_prompts,
    find_worst,
)
from torch import Tensor, nn

import policy
from policy.model.sharing.patches import multiply_patches
from policy.model.vlm import VLM
from policy.records import Completion, LoraSpec, Prompt

FAMILIES = ("qwen3_vl", "qwen2_5_vl", "smolvlm")


@pytest.fixture(scope="module", params=FAMILIES)
def home(request, tmp_path_factory) -> Path:
    return build_home(tmp_path_factory.mktemp("policies"), request.param)


@pytest.fixture
def vlm(home: Path) -> VLM:
    """Adapters on the language model, moved away from where they change nothing."""
    vlm = policy.load(home, device="cpu", lora=LoraSpec(rank=4))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in vlm.model.parameters():
            if weight.requires_grad:
                weight += 0.02 * torch.randn(weight.shape, generator=generator)
    return vlm


@pytest.fixture
def prompts() -> list[Prompt]:
    return draw_prompts(np.random.default_rng(0))


class Counter:
    """Counts the runs of a policy's image encoder, and remembers the last."""

    def __init__(self, vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs, self.made = 0, None
        encode = vlm.model.base_model.get_image_features

        def count(*args: Any, **kwargs: Any) -> Any:
            self.runs += 1
            self.made = encode(*args, **kwargs)
            return self.made

        count.__signature__ = inspect.signature(encode)  # type: ignore[attr-defined]
        monkeypatch.setattr(vlm.model.base_model, "get_image_features", count)


def sample(vlm: VLM, prompts: list[Prompt]) -> list[list[Completion]]:
    return vlm.sample(
        prompts, 3, temperature=TEMPERATURE, max_new_tokens=6, seeds=[1, 2, 3]
    )


def differentiate(vlm: VLM, logprobs: Tensor) -> dict[str, Tensor]:
    named = {n: p for n, p in vlm.model.named_parameters() if p.requires_grad}
    slopes = torch.linspace(-1, 1, logprobs.numel()).view_as(logprobs)
    found = torch.autograd.grad(logprobs, list(named.values()), slopes)
    return dict(zip(named, found, strict=True))


def test_the_update_sees_without_the_encoder_what_it_would_see_with_it(
    vlm: VLM, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(vlm, monkeypatch)
    groups = sample(vlm, prompts)
    assert counter.runs == 1
    for rows in ([0, 1, 2], [2, 0]):  # minibatches come in any order
        asked = [prompts[row] for row in rows], [groups[row] for row in rows]
        counter.runs = 0
        found = vlm.score(*asked, temperature=TEMPERATURE)
        assert counter.runs == 0
        expected = vlm.score_plain(*asked, temperature=TEMPERATURE)
        assert counter.runs == 1
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        gradient, other = (differentiate(vlm, values) for values in (found, expected))
        assert find_worst(gradient, other) < 1e-5


def test_an_image_that_was_never_sampled_for_is_encoded(
    vlm: VLM, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = sample(vlm, prompts[:2])
    counter = Counter(vlm, monkeypatch)
    groups = [*groups, groups[0]]
    found = vlm.score(prompts, groups, temperature=TEMPERATURE)
    assert counter.runs == 1
    expected = vlm.score_plain(prompts, groups, temperature=TEMPERATURE)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_an_encoder_that_trains_runs_and_learns(
    home: Path, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    vlm = policy.load(home, device="cpu", trainable=["tower"])
    groups = sample(vlm, prompts)
    counter = Counter(vlm, monkeypatch)
    logprobs = vlm.score(prompts, groups, temperature=TEMPERATURE)
    assert counter.runs == 1
    assert any(slope.any() for slope in differentiate(vlm, logprobs).values())


def test_what_was_seen_is_forgotten_with_its_prompt(
    vlm: VLM, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(vlm, monkeypatch)
    sample(vlm, prompts)
    seen = weakref.ref(counter.made.pooler_output[0])
    counter.made = None
    gc.collect()
    assert seen() is not None
    prompts.clear()
    gc.collect()
    assert seen() is None


def test_a_blind_policy_is_shown_no_other_image(
    home: Path, prompts: list[Prompt]
) -> None:
    """The encoder gets what the processor shows, whatever the prompt holds."""
    vlm = policy.load(home, device="cpu", lora=LoraSpec(rank=4))
    vlm.processor.settings = replace(SHORT, blind=True)
    words = [replace(prompt, instruction=WORDS[0]) for prompt in prompts]
    groups = [sample(vlm, words)[0]] * 3
    rows = vlm.score(words, groups, temperature=TEMPERATURE)
    torch.testing.assert_close(rows[0], rows[1], rtol=1e-5, atol=1e-5)


def test_patches_are_multiplied_as_the_convolution_would_have_it() -> None:
    whole, larger = (torch.randn(5, 3, 1, side, side) for side in (4, 8))
    stock = nn.Conv3d(3, 6, (1, 4, 4), stride=(1, 4, 4))
    quick = copy.deepcopy(stock)
    multiply_patches(quick)
    for patches in (whole, larger):
        torch.testing.assert_close(quick(patches), stock(patches))
    copied = copy.deepcopy(quick)
    nn.init.zeros_(copied.weight)
    assert (copied(whole) != quick(whole)).any(), "a copy has weights of its own"
