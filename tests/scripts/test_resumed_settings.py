"""What a resumed run takes from the command line, and what it keeps."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest
from commands import ROOT, call
from files import flip
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from policy.runtime import products
from policy.runtime.processor import Processor
from policy.training import precision

SMALL = (
    *("env=press_button", "steps=2", "n=0", "videos=0", "checkpoint_every=1"),
    *("rollout.prompts=1", "rollout.num_generations=2", "rollout.workers=0"),
)
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


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose newest checkpoint is damaged; bfloat16 was faster as it began."""
    path = tmp_path_factory.mktemp("runs") / "stopped"
    with pytest.MonkeyPatch.context() as patch:
        set_processor(patch, "amx_bf16")
        patch.setattr(precision, "time_updates", lambda vlm, job: (1.0, 2.0))
        assert call("train", *SMALL, f"run_dir={path}", "algo.bf16=auto") == ""
    flip(path / "checkpoints" / "step_2" / "trainer.safetensors")
    (path / "summary.json").unlink()
    shutil.rmtree(path / "final")
    return path


@pytest.fixture
def copied(stopped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stopped, tmp_path / "copied"))


def set_processor(patch: pytest.MonkeyPatch, *flags: str) -> None:
    found = Processor(name="a processor", bf16=flags)
    patch.setattr(products, "read_processor", lambda: found)


def test_a_run_keeps_its_numbers_and_goes_on_everywhere_from_one_step(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    set_processor(monkeypatch)
    monkeypatch.delattr(precision, "time_updates")
    assert call("train", f"resume={copied}") == ""
    said = " ".join(capfd.readouterr().out.split())
    assert (
        "warning: products in bfloat16: as the run began, though the processor has no "
        "bfloat16 products"
    ) in said
    assert "asked for" not in said and "algo.bf16" not in said
    assert said.count("this step is passed over") == 1
    found = EventAccumulator(str(copied), size_guidance={"scalars": 0})
    found.Reload()
    assert [point.step for point in found.Scalars("reward")] == [1, 2]


def test_a_damaged_step_is_not_taken(copied: Path) -> None:
    assert call("train", f"resume={copied}", "steps=1") == ""
    assert (copied / "final").exists()
