"""What a resumed run takes from the command line: as Hydra read it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from commands import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

STORED = ["rollout.engine=ray", "rollout.address=theirs:6379"]
TYPED = ["rollout.engine=ray", "rollout.address=null", "quiet=True", "steps=50"]


def test_a_few_keys_change_and_an_address_can_be_taken_back(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    train = importlib.import_module("train")
    checks = importlib.import_module("launching.checks")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        stored, usual = (compose("train", words) for words in (STORED, TYPED))
    for config in (stored, usual):
        OmegaConf.resolve(config)
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(stored))
    typed = dict(word.split("=") for word in TYPED[1:])
    for module in (train, checks):
        monkeypatch.setattr(module, "list_overrides", lambda: typed)
    config = train.read_config(tmp_path, usual)
    assert config.rollout.address is None and config.rollout.engine == "ray"
    assert config.quiet is True and config.steps == 50
    for module in (train, checks):
        monkeypatch.setattr(module, "list_overrides", dict)
    with pytest.raises(ValueError, match="rollout.address is theirs:6379; a cluster"):
        train.read_config(tmp_path, usual)
    for module in (train, checks):
        monkeypatch.setattr(module, "list_overrides", lambda: {"seed": "3"})
    with pytest.raises(ValueError, match="seed=3 beside resume=.*only steps, quiet, "):
        train.read_config(tmp_path, usual)
