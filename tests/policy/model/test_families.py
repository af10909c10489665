"""Models of every family train through the command line, whole or by adapters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from commands import call
from families import FAMILIES
from runs import read_log
from safetensors.torch import load_file
from torch import Tensor

SMALL = (
    "algo=whole",  # with the expert, or random weights had nothing to learn from
    "policy.device=cpu",
    "n=0",
    "checkpoint_every=1",
    "rollout.prompts=2",
    "rollout.num_generations=2",
    "rollout.max_new_tokens=12",
    "rollout.workers=0",
    # Large steps at once: what is to move moves by more than bfloat16 rounds away.
    "algo.warmup_steps=0",
    "algo.cooldown=0",
    "algo.average_decay=0",
    "algo.learning_rate.language=0.02",
)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("families")
    for name, build in FAMILIES.items():
        build(root / name)
    return {name: root / name for name in FAMILIES}


def train(home: Path, run: Path, *more: str) -> None:
    said = call(
        "train", f"policy={home.name}", f"policy.path={home}", f"run_dir={run}", *SMALL,
        *more,
    )  # fmt: skip
    assert not said


def list_moved(before: Path, after: Path) -> set[str]:
    """Names of the weights that differ between two policy directories."""
    old, new = (read_weights(path) for path in (before, after))
    assert old.keys() == new.keys()
    return {name for name in old if not torch.equal(old[name], new[name])}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Weights in bfloat16, as the policies are loaded."""
    weights = load_file(path / "model.safetensors")
    return {name: weight.bfloat16() for name, weight in weights.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_move_the_language_layers_and_nothing_else(
    homes: dict[str, Path], tmp_path: Path, family: str
) -> None:
    train(homes[family], tmp_path / "run", "policy.lora.rank=4", "steps=2")
    moved = list_moved(homes[family], tmp_path / "run" / "final")
    layers = {
        name
        for name in read_weights(homes[family])
        if ".layers." in name and "vis" not in name and name.endswith("_proj.weight")
    }
    assert moved == layers and len(layers) % 7 == 0
    state = load_file(
        tmp_path / "run" / "checkpoints" / "step_2" / "trainer.safetensors"
    )
    adapters = {k: v for k, v in state.items() if k.startswith("weight.")}
    assert adapters and all("lora_" in name for name in adapters)
    assert {weight.dtype for weight in adapters.values()} == {torch.float32}


def test_all_language_weights_move_in_float32_and_resume_exactly(
    homes: dict[str, Path], tmp_path: Path
) -> None:
    home, more = homes["qwen2_5_vl_3b"], ("policy.lora=null", "algo.bf16=false")
    train(home, tmp_path / "whole", *more, "steps=2")
    train(home, tmp_path / "halves", *more, "steps=1")
    (tmp_path / "halves" / "summary.json").unlink()
    assert not call("train", f"resume={tmp_path / 'halves'}", "steps=2")
    paths = [tmp_path / name for name in ("whole", "halves")]
    state = Path("checkpoints", "step_2", "trainer.safetensors")
    states = [load_file(path / state) for path in paths]
    rows = [read_log(path) for path in paths]
    assert rows[0] == rows[1] and len(rows[0]) == 2
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    masters = {k[13:]: v for k, v in states[0].items() if k.startswith("state.master.")}
    weights = {k[7:]: v for k, v in states[0].items() if k.startswith("weight.")}
    assert masters.keys() == weights.keys()
    for name, master in masters.items():
        assert (master.dtype, weights[name].dtype) == (torch.float32, torch.bfloat16)
        assert torch.equal(master.bfloat16(), weights[name])
    moved = list_moved(home, tmp_path / "whole" / "final")
    matrices = {n for n, w in read_weights(home).items() if w.ndim == 2}
    assert {name for name in matrices if "visual" not in name} <= moved
    assert not any("visual" in name for name in moved)
