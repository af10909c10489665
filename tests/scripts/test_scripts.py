"""The commands as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import ROOT, call
from runs import read_log
from safetensors.torch import load_file

SMALL = (
    "env=pick_mug",
    "steps=3",
    "n=2",
    "videos=1",
    "checkpoint_every=1",
    "rollout.prompts=2",
    "rollout.num_generations=3",
    "rollout.workers=1",
    "algo.bf16=false",  # two runs might choose differently
)


def start(script: str, *arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / f"{script}.py"), *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(script: str, *arguments: str, cwd: Path) -> tuple[int, str]:
    process = start(script, *arguments, cwd=cwd)
    output, errors = process.communicate(timeout=240)
    return process.returncode, output + errors


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three real steps of the default policy."""
    folder = tmp_path_factory.mktemp("trained")
    code, output = run("train", *SMALL, "run_dir=run", cwd=folder)
    assert code == 0, output
    return folder


def test_training_leaves_the_files_other_programs_rely_on(trained: Path) -> None:
    assert [p.name for p in trained.iterdir()] == ["run"]  # nothing of Hydra's
    path = trained / "run"
    assert len(read_log(path)) == 3
    for name in ("videos/before.mp4", "videos/after.mp4", "final/config.json"):
        assert (path / name).stat().st_size > 0
    assert "learned pick_mug" in (path / "report.html").read_text()
    summary = json.loads((path / "summary.json").read_text())
    assert (summary["env"], summary["seed"], summary["steps"]) == ("pick_mug", 0, 3)
    assert summary["before"]["n"] == summary["after"]["n"] == 2
    assert summary["paired"]["success"]["n"] == 2
    assert "run_dir=run" in (path / "final" / "README.md").read_text()


def test_a_run_killed_at_any_moment_resumes_to_the_same_end(trained: Path) -> None:
    process = start("train", *SMALL, "run_dir=killed", cwd=trained)
    metrics = trained / "killed" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_text().count("\n") >= 2):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    code, output = run("train", f"resume={trained / 'killed'}", cwd=ROOT)
    assert code == 0, output
    assert read_log(trained / "killed") == read_log(trained / "run")
    summaries = [
        json.loads((trained / name / "summary.json").read_text())
        for name in ("killed", "run")
    ]
    assert summaries[0]["after"] == summaries[1]["after"]
    assert summaries[0]["paired"] == summaries[1]["paired"]
    manifest = json.loads((trained / "killed" / "manifest.json").read_text())
    assert "run_dir=killed" in manifest["command"] and len(manifest["resumed"]) == 1
    assert "warning: resumed under" not in output


def test_evaluate_compares_trained_directories_on_the_same_scenes(trained) -> None:
    policies = "policy=[run/final,null,run/final]"
    code, output = run(
        *("evaluate", policies, "split=ood", "n=2", "out=new/rows.json"), cwd=trained
    )
    assert code == 0, output
    row, null, again = json.loads((trained / "new" / "rows.json").read_text())
    assert row == again and null["policy"] == "null"
    pairs = json.loads((trained / "new" / "rows.pairs.json").read_text())
    assert [pair["policy"] for pair in pairs] == ["null", "run/final"]
    assert pairs[0]["difference"] == -row["success"]
    itself = (pairs[1]["gained"], pairs[1]["lost"], pairs[1]["p_value"])
    assert itself == (0, 0, 1)
    manifest = json.loads((trained / "new" / "rows.manifest.json").read_text())
    assert f"python scripts/evaluate.py '{policies}'" in manifest["command"]
    what = (row["env"], row["policy"], row["split"])
    assert what == ("pick_mug", "run/final", "ood")
    summary = json.loads((trained / "run" / "summary.json").read_text())
    for figure in ("success", "parse_rate", "iou", "dfd", "hd", "rmse", "endpoint"):
        assert row[figure] == summary["after"][figure]


BRIEF = (
    *("env=press_button", "n=1", "sft.steps=2", "sft.batch=2", "sft.held_out=2"),
    *(
        "sft.workers=0",
        "size.width=48",
        "size.tower_layers=1",
        "size.language_layers=2",
    ),
)


def test_a_warm_start_begins_with_the_weights_it_is_given(tmp_path: Path) -> None:
    first = ("run_dir=one", "out=first", "blind=true", "sft.rate=1e-3")
    code, output = run("warmstart", *BRIEF, *first, cwd=tmp_path)
    assert code == 0, output
    settings = json.loads((tmp_path / "first" / "graspo.json").read_text())
    assert settings["blind"]
    second = ("run_dir=two", "out=second", "start=./first", "sft.warmup=1e9")
    code, output = run("warmstart", *BRIEF, *second, cwd=tmp_path)
    assert code == 0, output
    card = (tmp_path / "second" / "README.md").read_text()
    assert "sft.steps=2" in card and "start=./first" in card
    assert "run_dir" not in card
    old, new = (
        load_file(tmp_path / name / "model.safetensors") for name in ("first", "second")
    )
    assert all(old[name].equal(new[name]) for name in old)  # all but no rate at all
    third = ("run_dir=three", "out=third", "start=./first", "size.width=96")
    code, output = run("warmstart", *BRIEF, *third, cwd=tmp_path)
    assert code == 2
    assert "start=./first is of another size" in output
    later = ("robot:", "look:", "without:", "knowledge:")
    lines = (tmp_path / "one" / "config.yaml").read_text().splitlines()
    earlier = [line for line in lines if not line.startswith(later)]
    assert len(earlier) == len(lines) - len(later)
    (tmp_path / "one" / "config.yaml").write_text("\n".join(earlier))
    code, output = run("warmstart", "resume=one", "out=again", "n=1", cwd=tmp_path)
    assert code == 0, output
    assert (tmp_path / "again" / "graspo.json").exists()


def test_the_null_policy_can_be_named_and_filmed(tmp_path: Path) -> None:
    code, output = run("record", "policy=null", "n=1", "out=it.mp4", cwd=tmp_path)
    assert code == 0, output
    assert (tmp_path / "it.mp4").stat().st_size > 0


def test_where_nothing_failed_no_film_of_failures_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = call("record", "policy=expert", "n=1", "failed=true")
    assert said == "error: failed=true, but nothing failed: try more than n=1"
    assert not list(tmp_path.iterdir())
