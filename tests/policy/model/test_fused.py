"""Decoding by few operations, beside the stock model's own step."""

from pathlib import Path
from typing import Any

import pytest
import torch
from test_vlm import PROMPTS
from transformers import AutoConfig, AutoModelForImageTextToText

import policy
from policy.model.sharing import prefix
from policy.model.sharing.attention import enable_sharing
from policy.model.sharing.fused import FusedDecoder, can_fuse
from policy.model.sharing.prefix import Branches, prefill
from policy.model.vlm import VLM
from policy.records import LoraSpec
from policy.runtime import lanes

GROUP, STEPS = 3, 5


def build_random(home: Path, **settings: Any) -> VLM:
    """A Qwen3-VL of random weights, whose norms scale, too."""
    vlm = policy.load(home, device="cpu")
    config = AutoConfig.from_pretrained(home)
    for name, value in settings.items():
        setattr(config.text_config, name, value)
    vlm.model = AutoModelForImageTextToText.from_config(config).float().eval()
    enable_sharing(vlm.model)
    torch.manual_seed(0)
    for weight in vlm.model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return vlm


@torch.inference_mode()
def decode(vlm: VLM, *, fused: bool) -> torch.Tensor:
    """Logits of given tokens, some rows leaving on the way: [steps, rows left, V]."""
    inputs = vlm.processor.encode(PROMPTS)
    branches = Branches(vlm.model, prefill(vlm.model, inputs), GROUP, room=STEPS)
    assert isinstance(branches._run, FusedDecoder) is fused
    tokens = torch.arange(len(PROMPTS) * GROUP)[:, None] + 1
    kept, found = torch.tensor([0, 2, 6, 7]), []  # of the first and the last prompt
    for step in range(STEPS):
        if step == STEPS - 2:
            branches.keep(torch.tensor([0, 2]), kept)
            tokens = tokens[kept]
        logits = branches.extend(tokens + step)[:, -1]
        found.append(logits if len(tokens) == len(kept) else logits[kept])
    return torch.stack(found)


@pytest.mark.parametrize("key_heads", [1, 2])
def test_it_says_what_the_stock_model_says(homes, monkeypatch, key_heads: int) -> None:
    sizes = {"num_key_value_heads": key_heads, "rms_norm_eps": 1e-2}
    vlm = build_random(homes["qwen3_vl"], **sizes)
    found = decode(vlm, fused=True)
    monkeypatch.setattr(prefix, "can_fuse", lambda model: False)
    stock = decode(vlm, fused=False)
    assert stock.std() > 0.1  # else anything would be close to it
    torch.testing.assert_close(found, stock, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_act": "gelu"},
        {"attention_bias": True},
        {"rope_parameters": {"rope_theta": 1e4, "rope_type": "dynamic", "factor": 2.0}},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_it_does_not_compute_stays_stock(homes, settings: dict[str, Any]) -> None:
    vlm = build_random(homes["qwen3_vl"], **settings)
    assert not can_fuse(vlm.model)
    decode(vlm, fused=False)


def test_several_tokens_at_once_are_an_error(homes) -> None:
    vlm = build_random(homes["qwen3_vl"])
    inputs = vlm.processor.encode(PROMPTS)
    with torch.inference_mode():
        branches = Branches(vlm.model, prefill(vlm.model, inputs), GROUP, room=STEPS)
        with pytest.raises(RuntimeError):
            branches.extend(torch.ones(len(PROMPTS) * GROUP, 2, dtype=torch.long))


def test_what_is_large_otherwise_built_or_of_low_precision_stays_stock(
    homes, monkeypatch
) -> None:
    for family in homes:
        model = policy.load(homes[family], device="cpu").model
        assert can_fuse(model) is (family == "qwen3_vl")
    low = policy.load(homes["qwen3_vl"], device="cpu", dtype="bfloat16")
    assert not can_fuse(low.model)
    monkeypatch.setattr(lanes, "SMALL", 1000)
    assert not can_fuse(policy.load(homes["qwen3_vl"], device="cpu").model)


def test_adapters_that_are_not_merged_are_not_left_out(homes) -> None:
    lora = LoraSpec(rank=4, alpha=8)
    adapted = policy.load(homes["qwen3_vl"], lora=lora, device="cpu").model
    assert not can_fuse(adapted)
    with policy.model.adapters.merged(adapted):
        assert can_fuse(adapted)
