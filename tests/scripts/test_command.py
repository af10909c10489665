"""What was typed and what Hydra read are the same command."""

import importlib

import hydra
import pytest
from commands import ROOT


@pytest.mark.parametrize(
    "typed",
    [
        ["env=pick_mug", "policy=tiny", "seed=1"],
        ["policy=Qwen/Qwen3-VL-2B-Instruct", "policy.lora={rank:16,alpha:32}"],
        ["policy=runs/a b/final", "env=[pick_mug,hang_mug]"],
        ['policy=odd/"name"', "env=all", "env.without=[fold_cloth]"],
        ["policy=null", "n=3"],
        ["policy=[tiny,runs/x/final]", "policy.device=cpu", "out=rows.json"],
        ["run_dir=/home/jürgen/my runs (1)/☃", "data.path=sät"],
    ],
)
def test_a_command_is_told_as_it_was_typed(typed, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    choices = importlib.import_module("launching.choices")
    assert choices.shorten([w for word in typed for w in choices.spell(word)]) == typed


@pytest.mark.parametrize("path", ["/home/jürgen/my runs (1)/☃", "sät", "日本/é,b"])
def test_paths_in_any_letters_are_read(path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    choices = importlib.import_module("launching.choices")
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = hydra.compose("train", choices.spell(f"run_dir={path}"))
    assert config.run_dir == path
