"""`scripts/export.py`: what it writes, and that it writes all or nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from commands import call

import envs
from envs.answer import format_answer, parse_answer
from envs.records import Completion
from envs.rollout import Rollout
from policy.data.sets import FORMATS, SetConfig, open_set
from policy.evaluation.baselines import answer_null
from policy.model.prompt import build_prompt
from policy.records import Group
from policy.rollout.log import describe_episode
from policy.rollout.rebuild import read_episodes
from policy.training.history import History

ALONE = ("rollout.workers=0",)
QUICK = (*ALONE, "env=press_button")


def answer(scene: envs.Scene, text: str) -> Rollout:
    plan = parse_answer(text)
    [outcome] = envs.simulate(scene, [plan])
    said = Completion(text=text)
    return Rollout(scene=scene, completion=said, answer=plan, outcome=outcome)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's answers: one success, one failure, one that cannot be read."""
    scenes = [envs.make_scene("press_button", "ood", seed) for seed in range(3)]
    texts = [
        format_answer(scenes[0].reference.to_plan()),
        answer_null(scenes[1]),
        "I would rather not.",
    ]
    rows = [
        row
        for scene, text in zip(scenes, texts, strict=True)
        for row in describe_episode([answer(scene, text)])
    ]
    rows.append(rows[1] | {"turn": 2, "success": True})
    path = tmp_path_factory.mktemp("run") / "evaluations" / "after.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.parents[1]


def test_answers_of_a_run_become_annotations(run, tmp_path):
    out = tmp_path / "set"
    said = call("export", f"run_dir={run}", "format=graspo", f"out={out}", *ALONE)
    assert not said
    rows = [*map(json.loads, (run / "evaluations" / "after.jsonl").open())]
    items = open_set(SetConfig(path=str(out))).items
    assert [item.instruction for item in items] == [r["instruction"] for r in rows[:2]]
    assert [list(item.box or ()) for item in items] == [r["box"] for r in rows[:2]]


def test_only_what_succeeded_becomes_an_episode(run, tmp_path, capfd):
    out = tmp_path / "set"
    asked = ("only=success", f"run_dir={run}", "format=lerobot", f"out={out}")
    assert not call("export", *asked, *ALONE, "quiet=true")
    assert not capfd.readouterr().out
    command = f"python scripts/export.py only=success run_dir={run} format=lerobot"
    assert command in (out / "README.md").read_text()
    [row] = pq.read_table(out / "meta" / "episodes").to_pylist()
    first = json.loads((run / "evaluations" / "after.jsonl").open().readline())
    assert json.loads(row["graspo/scene"]) == first["scene"]
    assert (row["graspo/text"], row["tasks"]) == (first["text"], [first["instruction"]])
    assert row["graspo/success"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("form", ["lerobot", *FORMATS])
def test_what_was_trained_on_is_taken_before_what_was_held_out(
    run, tmp_path, capfd, form
):
    scene = envs.make_scene("press_button", "ood", 7)
    said = answer(scene, format_answer(scene.reference.to_plan()))
    group = Group(prompt=build_prompt(scene.observation), rollouts=(said,))
    trained = Path(shutil.copytree(run, tmp_path / "trained"))
    History(trained).add_rollouts(1, [group], torch.zeros(1, 1))
    out = tmp_path / "set"
    asked = (f"run_dir={trained}", f"format={form}", f"out={out}", *ALONE)
    assert not call("export", *asked)
    printed = capfd.readouterr().out
    assert "1 items" in printed or "1 episodes" in printed
    assert "left out" not in printed and "warning" not in printed


@pytest.mark.parametrize("name", ["before", "after"])
def test_who_takes_held_out_scenes_is_warned_in_one_line(run, tmp_path, capfd, name):
    path = run / "evaluations" / f"{name}.jsonl"
    if name == "before":
        shutil.copy(run / "evaluations" / "after.jsonl", path)
    asked = (f"run_dir={run}", f"log=evaluations/{name}.jsonl", "format=graspo")
    assert not call("export", *asked, f"out={tmp_path / 'set'}", *ALONE)
    [line] = [row for row in capfd.readouterr().out.splitlines() if "warning" in row]
    assert line.startswith(f"warning: {path}: held-out scenes")


@pytest.mark.parametrize("words", [("n=2",), ("n=1", "only=success")])
def test_how_many_answers_were_left_over_is_said(run, tmp_path, capfd, words):
    out = tmp_path / "set"
    file = tmp_path / "run" / "rollouts.jsonl"
    file.parent.mkdir()
    lines = (run / "evaluations" / "after.jsonl").read_text().splitlines()
    kept = [lines[0], *lines[:2]]
    file.write_text("".join(f"{line}\n" for line in kept))
    asked = (f"run_dir={file.parent}", "format=graspo", f"out={out}", *words)
    assert not call("export", *asked, *ALONE)
    assert f"left out: 1 beyond {words[0]}\n" in capfd.readouterr().out


def test_the_same_command_writes_the_same_files(tmp_path):
    for name in ("one", "two"):
        asked = ("n=2", "format=sharerobot", f"out={tmp_path / name}")
        assert not call("export", *asked, *QUICK)
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) == 6
    for path in files:
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes()


def test_an_export_that_ends_early_leaves_nothing(run, tmp_path, monkeypatch):
    from policy.export.lerobot import writer

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer.LeRobotWriter, "finish", stop)
    out = tmp_path / "set"
    said = call("export", f"run_dir={run}", "format=lerobot", f"out={out}", *ALONE)
    assert said == "stopped: nothing was written"
    assert not list(tmp_path.iterdir())


def test_a_policy_that_never_succeeds_leaves_nothing(tmp_path):
    out = tmp_path / "set"
    asked = ("policy=null", "only=success", "n=2", "format=graspo", f"out={out}")
    assert "nothing to write" in call("export", *asked, *QUICK)
    assert not list(tmp_path.iterdir())


def test_nothing_is_ever_overwritten(tmp_path):
    assert "exists" in call("export", f"out={tmp_path}", *QUICK)


def test_what_was_exported_is_measured_by_every_scorer(tmp_path, capfd):
    out, rows = tmp_path / "set", tmp_path / "rows.json"
    said = call("export", "n=2", "split=test", "format=graspo", f"out={out}", *QUICK)
    assert not said
    asked = ("env=offline", f"data.path={out}", "policy=expert", "scorer=all")
    assert not call("evaluate", *asked, f"out={rows}", "rollout.workers=0")
    [row] = json.loads(rows.read_text())
    assert row["n"] == 2 and row["scores"].keys() == {"graspo", "paper", "flageval"}
    for figures in row["scores"].values():
        assert figures["n"] == 2 and figures["iou"] > 90
        assert figures["average"] < 5 and figures["end_within_20px"] == 1
    assert "ManipLVM-R1" in capfd.readouterr().out
    said = call("evaluate", *asked, "words=true")
    assert said == "error: words=true: images of env=offline have one candidate each"


def test_images_beside_the_scenes_of_a_run_are_left_out(run, tmp_path):
    mixed = Path(shutil.copytree(run, tmp_path / "mixed"))
    file = mixed / "evaluations" / "after.jsonl"
    picture = {"name": "offline", "split": "test", "seed": 0, "item": "items.jsonl 3"}
    row = json.loads(file.read_text().splitlines()[0])
    row |= {"env": "offline", "scene": picture, "reason": None, "success": False}
    file.write_text(json.dumps(row) + "\n" + file.read_text())
    out = tmp_path / "set"
    assert not call("export", f"run_dir={mixed}", "format=graspo", f"out={out}", *ALONE)
    assert len(open_set(SetConfig(path=str(out))).items) == 2
    assert read_episodes(mixed) == read_episodes(run)
