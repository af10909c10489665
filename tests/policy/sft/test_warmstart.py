"""What a warm start cannot be made of is refused in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import call
from miniatures import build_qwen2_5_vl

MISTAKES = {
    "++often.use_tool=0": "often.use_tool is 0; a whole number of at least 1",
    "++often.use_tool=-2": "often.use_tool is -2; a whole number of at least 1",
    "++often.pick_mug=1.5": "often.pick_mug is 1.5; a whole number of at least 1",
    "size.patch=15": "size.patch * size.merge is 30; a multiple of 4",
    "size.language_layers=0": "size.language_layers is 0; a whole number of at least",
    "sft.varied=false": "unknown key 'sft.varied'",
    "sft.blur=inf": "sft.blur is inf; at least 0, finite",
}


@pytest.mark.parametrize("word", MISTAKES)
def test_a_mistake_is_refused_before_a_directory_is_made(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert MISTAKES[word] in call("warmstart", word, "out=x")
    assert not list(tmp_path.iterdir())


def test_a_policy_of_another_family_is_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build_qwen2_5_vl(tmp_path / "other")
    said = call("warmstart", "env=press_button", "start=./other", "out=x")
    assert "start=./other has model_type 'qwen2_5_vl'; valid: 'qwen3_vl'" in said
