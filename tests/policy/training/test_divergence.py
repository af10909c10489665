"""What is not finite moves no weight, is counted, and leaves evidence when it stays."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import runs
import torch
from safetensors.torch import load_file

import policy
from policy.grpo.average import list_trainable
from policy.grpo.grpo import update
from policy.model.vlm import VLM
from policy.runtime.steps import list_steps
from policy.training.checkpoint import build_learner, load_checkpoint
from policy.training.evidence import load_batch
from policy.training.run_dir import RunDir

JOB = replace(
    runs.JOB,
    algo=replace(runs.JOB.algo, expert_advantage=1.0),
    rollout=replace(runs.JOB.rollout, prompts=1, num_generations=2, max_new_tokens=32),
    steps=5,
    n=0,
)


def spoil(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """Makes the log-probabilities of some steps NaN; call 0 is the rehearsal's."""
    score, calls = VLM.score, count()

    def spoiled(self: VLM, *given, **options: float) -> torch.Tensor:
        found = score(self, *given, **options)
        return found * torch.nan if next(calls) in steps else found

    monkeypatch.setattr(VLM, "score", spoiled)


def read_weights(run: RunDir, step: int) -> dict[str, torch.Tensor]:
    state = load_file(run.checkpoints / f"step_{step}" / "trainer.safetensors")
    return {k: v for k, v in state.items() if not k.startswith("average.")}


def test_a_step_that_is_not_finite_is_skipped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 2, 4)
    run = runs.execute(tmp_path / "run", JOB)
    rows = run.history.read()
    assert [row["skipped"] for row in rows] == [0, 1, 0, 1, 0]
    assert [row["loss"] is None for row in rows] == [False, True, False, True, False]
    assert "NaN" not in (run.path / "metrics.jsonl").read_text()
    summary = run.read_json("summary.json")
    assert summary is not None and summary["skipped"] == 2
    first, second, third = (read_weights(run, step) for step in (1, 2, 3))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(second[name], third[name]) for name in third)


def test_three_in_a_row_stop_the_run_and_leave_weights_and_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, 2, 3, 4)
    job = replace(JOB, checkpoint_every=100)
    with pytest.raises(FloatingPointError) as stop:
        runs.execute(tmp_path / "run", job)
    run = RunDir(tmp_path / "run")
    bad = run.path / "bad_step_4"
    for said in ("steps 2 to 4", "step 1 are in", f"{run.checkpoints / 'step_4'}"):
        assert said in str(stop.value)
    assert f"{bad}" in str(stop.value) and "resume=" in str(stop.value)
    good = runs.execute(tmp_path / "good", replace(JOB, steps=1))
    assert list_steps(run.checkpoints)[-1] == 4
    stopped, untouched = read_weights(run, 4), read_weights(good, 1)
    assert all(torch.equal(stopped[name], untouched[name]) for name in untouched)
    assert {file.suffix for file in bad.iterdir()} == {".jsonl", ".safetensors"}


def test_steps_lost_before_a_resume_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as spoiled:
        spoil(spoiled, 4, 5)
        run = runs.execute(tmp_path / "run", JOB)
    spoil(monkeypatch, 1)  # the sixth step
    with pytest.raises(FloatingPointError, match="steps 4 to 6: the weights of step 3"):
        runs.execute(run.path, replace(JOB, steps=6), resume=True)


def test_the_batch_on_disk_repeats_the_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as spoiled:
        spoil(spoiled, 1, 2, 3)
        with pytest.raises(FloatingPointError):
            runs.execute(tmp_path / "run", JOB)
    path = tmp_path / "run" / "bad_step_3"
    batch = load_batch(path)
    lines = [json.loads(line) for line in (path / "rollouts.jsonl").open()]
    assert [line["text"] for line in lines] == [c.text for c in batch.completions[0]]
    logged = (tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()
    assert json.loads(logged[-1])["text"] == lines[-2]["text"]  # the last is expert's
    vlm = policy.load("tiny", device="cpu")
    learner = build_learner(vlm, JOB.algo)
    load_checkpoint(learner, tmp_path / "run" / "checkpoints", 3)
    assert batch.sampling == JOB.sampling
    generator = torch.Generator().manual_seed(0)
    learned = update(vlm, learner.optimizer, batch, JOB.algo, generator)
    assert learned.skipped == 0 and learned.grad_norm > 0
    assert all(p.isfinite().all() for _, p in list_trainable(vlm))
