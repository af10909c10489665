"""Run directories of somebody who means harm: nothing runs, nothing is read or sent."""

from __future__ import annotations

import json
import pickle
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import call
from harm import Bomb, say_yes

Edit = Callable[[Path], object]
SECRET = "password-of-this-machine"


def edit(old: str, new: str) -> Edit:
    """Changes config.yaml; MARK stands for a file beside the run."""

    def change(run: Path) -> None:
        file = run / "config.yaml"
        assert old in file.read_text()
        said = new.replace("MARK", str(run.parent / "executed"))
        file.write_text(file.read_text().replace(old, said, 1))

    return change


def call_by(section: str) -> Edit:
    """Lets a part of the configuration name a function, as Hydra would call it."""
    call_mark = "\n  _target_: pathlib.Path.touch\n  self:\n    _target_: pathlib.Path"
    return edit(f"\n{section}:", f"\n{section}:{call_mark}\n    _args_: [MARK]")


def put_pickles(run: Path) -> None:
    """Beside and in place of a state, where a careless program would read them."""
    newest = run / "checkpoints" / "step_2"
    bomb = pickle.dumps(Bomb(run.parent / "executed"))
    for name in ("trainer.safetensors", "trainer.pt", "optimizer.bin"):
        (newest / name).write_bytes(bomb)
    shutil.rmtree(run / "checkpoints" / "step_1")


def point_policy(run: Path) -> None:
    """Lets the run start from a policy whose files name code."""
    home = run.parent / "policy"
    shutil.copytree(run / "checkpoints" / "step_1", home)
    (home / "model.safetensors.index.json").write_text('{"weight_map": {"x": "e.bin"}}')
    edit("path: assets/tiny", f"path: {home}")(run)
    shutil.rmtree(run / "checkpoints")
    (run / "metrics.jsonl").unlink()


def nest(run: Path) -> None:
    (run / "config.yaml").write_text("a: " + "[" * 100_000)


HOSTILE: dict[str, tuple[Edit, str]] = {
    "a reward that calls": (call_by("reward"), "unknown 'self' of RewardMix"),
    "an algorithm that calls": (call_by("algo"), "unknown 'self' of GRPOConfig"),
    "a rollout that calls": (call_by("rollout"), "unknown 'self' of RolloutConfig"),
    "an object of Python": (
        edit("seed: 0", "seed: !!python/object/apply:os.system ['touch MARK']"),
        "config.yaml is damaged (could not determine a constructor",
    ),
    "a look at the environment": (
        edit("env:\n  name: pick_mug", "env:\n  name: ${oc.env:GRASPO_SECRET}"),
        "config.yaml refers to something else",
    ),
    "a bomb of references": (
        edit("seed: 0", "seed: 0\nx: &x [1, 1]\ny: [*x, *x]"),
        "config.yaml is damaged (a reference)",
    ),
    "brackets without an end": (nest, "config.yaml"),
    "a cluster of theirs": (
        edit("engine: local\n  address: null", "engine: ray\n  address: evil:6379"),
        "rollout.address is evil:6379; a cluster runs code",
    ),
    "pickles in checkpoints": (put_pickles, "checkpoints are damaged"),
    "a policy of theirs": (point_policy, "names 'e.bin': weights are"),
    "a scene by its path": (
        edit("name: pick_mug", "name: os.system"),
        "unknown env 'os.system'",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_run_is_refused_in_one_line(
    run: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, line = HOSTILE[name]
    spoil(run)
    monkeypatch.setenv("GRASPO_SECRET", SECRET)
    monkeypatch.setattr("builtins.input", say_yes(run.parent / "asked"))
    said = call("train", f"resume={run}", "steps=3")
    assert line in said and SECRET not in said
    assert said.startswith("error: ") and "\n" not in said
    assert not {"executed", "asked"} & {one.name for one in run.parent.iterdir()}


def test_a_warm_start_of_theirs_sees_nothing_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRASPO_SECRET", SECRET)
    (tmp_path / "config.yaml").write_text("start: ${oc.env:GRASPO_SECRET}\n")
    said = call("warmstart", f"resume={tmp_path}", f"out={tmp_path / 'out'}")
    assert "config.yaml refers to something else" in said and SECRET not in said


def test_a_report_of_a_bomb_of_references_is_one_line(tmp_path: Path) -> None:
    layers = "".join(
        f"l{n}: &l{n} {{a: *l{n - 1}, b: *l{n - 1}}}\n" for n in range(1, 40)
    )
    (tmp_path / "config.yaml").write_text("l0: &l0 {x: 1}\n" + layers)
    said = call("report", f"run_dir={tmp_path}")
    assert said.endswith("config.yaml is damaged (a reference)") and "\n" not in said


def test_a_report_shows_no_file_from_elsewhere_and_runs_nothing(run: Path) -> None:
    private = run.parent / "private.jpg"
    private.write_bytes(b"\xff\xd8" + SECRET.encode())
    file = run / "evaluations" / "before.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    script = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    for row in rows:
        row |= {"image": "../../../private.jpg", "instruction": script, "text": script}
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = run.parent / "page.html"
    assert not call("report", f"run_dir={run}", f"out={page}")
    text = page.read_text()
    assert "<script>alert" not in text and "<img src=x" not in text
    assert b64encode(private.read_bytes()).decode() not in text
