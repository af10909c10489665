"""Models of every architecture train, or are refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from architectures import ARCHITECTURES, SPECS, build_architecture
from trials import (
    COPIED,
    PROMPTS,
    SHARED,
    UNTRIED,
    check_greedy,
    check_scores,
    read_table,
    try_architecture,
)

import policy
from policy.model.loading import UNFIT
from policy.model.sharing.attention import can_share

COMMON = (
    "gemma3",
    "internvl",
    "llava",
    "llava_onevision",
    "paligemma",
    "qwen2_5_vl",
    "qwen2_vl",
    "qwen3_5",
    "qwen3_vl",
    "smolvlm",
)


@pytest.mark.parametrize("name", COMMON)
def test_the_most_used_architectures_train(tmp_path: Path, name: str) -> None:
    outcome = try_architecture(name, tmp_path / name)
    assert outcome in (SHARED, COPIED)
    assert read_table()[name] == outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n not in COMMON])
def test_what_becomes_of_the_others_is_what_the_readme_says(
    tmp_path: Path, name: str
) -> None:
    said, outcome = read_table()[name], try_architecture(name, tmp_path / name)
    if "torchvision" in said and find_spec("torchvision"):  # the table is without
        assert outcome in (SHARED, COPIED, UNTRIED)
    else:
        assert outcome == said


def test_the_readme_says_what_becomes_of_every_architecture() -> None:
    table = read_table()
    assert set(table) == set(ARCHITECTURES)
    trained = [name for name, outcome in table.items() if outcome in (SHARED, COPIED)]
    assert len(trained) >= 25


@pytest.mark.parametrize("name", [*UNFIT, "florence2", "blip-2"])
def test_what_cannot_train_is_refused_before_weights_are_read(
    tmp_path: Path, name: str
) -> None:
    outcome = try_architecture(name, tmp_path / name)
    assert outcome.startswith("refused: ") and outcome == read_table()[name]


def test_a_configuration_of_which_no_model_can_be_built_is_refused_in_one_line(
    tmp_path: Path,
) -> None:
    build_architecture(tmp_path / "llava", "llava")
    file = tmp_path / "llava" / "config.json"
    config = json.loads(file.read_text())
    config["text_config"]["hidden_act"] = "unheard"
    file.write_text(json.dumps(config))
    said = r"^the model of .* cannot be built; KeyError: 'unheard'$"
    with pytest.raises(ValueError, match=said):
        policy.load(tmp_path / "llava", device="cpu")


def test_a_decoder_whose_scores_are_capped_keeps_its_own_attention(
    tmp_path: Path, monkeypatch
) -> None:
    layers = ["full_attention"] * 2  # but for the cap they could share
    text = {"model_type": "gemma2", "query_pre_attn_scalar": 16, "layer_types": layers}
    capped = replace(SPECS["paligemma"], config={"text_config": text})
    monkeypatch.setitem(SPECS, "paligemma", capped)
    build_architecture(tmp_path / "capped", "paligemma")
    vlm = policy.load(tmp_path / "capped", device="cpu")  # has no sdpa, but eager
    assert vlm.model.config.text_config.attn_logit_softcapping
    assert not can_share(vlm.model)
    groups = vlm.sample(PROMPTS, 2, temperature=1.0, max_new_tokens=6, seeds=[0, 1])
    check_scores(vlm, groups)
    check_greedy(vlm)
