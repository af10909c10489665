"""Gradient checkpointing keeps less and changes nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from compared import find_worst
from miniatures import BUILDERS

import policy
from policy.model import recompute
from policy.model.vlm import VLM
from policy.records import Completion, LoraSpec, Prompt
from policy.runtime.memory import count_saved_bytes

IMAGE = np.random.default_rng(0).integers(0, 256, (84, 84, 3), np.uint8)
PROMPTS = [Prompt(image=IMAGE, instruction=words) for words in ("Lift", "Lift the mug")]


@pytest.fixture(scope="module", params=BUILDERS)
def home(request, homes) -> Path:
    return homes[request.param]


def measure(vlm: VLM) -> tuple[torch.Tensor, dict[str, torch.Tensor], int]:
    """Scores of fixed answers, their gradient, and the bytes kept on the way."""
    said = Completion(text="", token_ids=tuple(range(40, 60)))
    with count_saved_bytes(vlm.model) as sizes:
        scores = vlm.score(PROMPTS, [[said] * 3] * 2, temperature=1.0)
    (scores * torch.linspace(-1, 1, scores.numel()).view_as(scores)).sum().backward()
    named = vlm.model.named_parameters()
    return (
        scores.detach(),
        {n: p.grad for n, p in named if p.grad is not None},
        sum(sizes),
    )


@pytest.mark.parametrize("lora", [None, LoraSpec(rank=4, alpha=8)])
def test_scores_and_gradients_are_the_same_and_less_is_kept(
    home: Path, lora: LoraSpec | None
) -> None:
    scores, gradients, kept = measure(policy.load(home, lora=lora, device="cpu"))
    lean = policy.load(home, lora=lora, device="cpu", gradient_checkpointing=True)
    found, again, less = measure(lean)
    torch.testing.assert_close(found, scores)
    assert find_worst(again, gradients) < 1e-6
    assert less < 0.7 * kept


def test_sampling_is_the_same(home: Path) -> None:
    texts = [
        [c.token_ids for group in said for c in group]
        for said in (
            policy.load(home, device="cpu", gradient_checkpointing=lean).sample(
                PROMPTS, 2, temperature=1.0, max_new_tokens=8, seeds=[1, 2]
            )
            for lean in (False, True)
        )
    ]
    assert texts[0] == texts[1]


def test_layers_that_keep_more_than_keys_are_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recompute, "can_share", lambda model: False)
    with pytest.raises(ValueError, match="gradient_checkpointing=true"):
        policy.load(home, device="cpu", gradient_checkpointing=True)
