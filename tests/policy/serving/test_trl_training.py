"""TRL's own trainer, by the lines of the document, from files that export.py wrote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import ROOT, call

import policy

STEPS = 20
SMALLER = {
    "max_steps=80": f"max_steps={STEPS}, use_cpu=True, report_to=[], disable_tqdm=True",
    "per_device_train_batch_size=64": "per_device_train_batch_size=4",
    "num_generations=8": "num_generations=4",
    "max_completion_length=64": "max_completion_length=40",
    'SceneReward("success")': 'SceneReward("success", workers=0)',
}


def read_example() -> str:
    """The document's lines, fewer and smaller steps asked for."""
    text = (ROOT / "policy" / "serving" / "README.md").read_text()
    [block] = re.findall(r"```python\n(.*?)```", text, re.S)
    for words, smaller in SMALLER.items():
        assert words in block
        block = block.replace(words, smaller)
    return block


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_trl_takes_twenty_steps_on_simulated_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("env=press_button", "policy=tiny", "split=ood", "n=4", "format=trl")
    assert not call("export", *asked, "out=prompts", "rollout.workers=0")
    names: dict[str, Any] = {}
    exec(compile(read_example(), "README.md", "exec"), names)
    log = [row for row in names["trainer"].state.log_history if "success" in row]
    assert len(log) == STEPS
    for row in log:
        assert row["success"] == row["reward"] == row["rewards/SceneReward/mean"]
        assert 0 <= row["success"] <= row["parsed"] <= 1
    assert np.isfinite([row["loss"] for row in log]).all()
    assert any(row["grad_norm"] > 0 for row in log)
    trained = policy.load(tmp_path / "runs" / "trl" / "final", device="cpu")
    assert trained.processor.settings == names["processor"].settings
