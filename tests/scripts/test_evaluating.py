"""What is measured of several policies, and what is said meanwhile."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import call
from PIL import Image

import policy
from policy.training.progress import Screen

QUICK = ("n=1", "rollout.workers=0")
BRIEF = (
    *("steps=1", "n=5", "videos=0", "rollout.workers=0", "rollout.prompts=1"),
    *("rollout.num_generations=2", "algo.bf16=false", "log=[]"),
)


@pytest.fixture
def images(tmp_path: Path) -> tuple[str, ...]:
    """Two images to learn from and two that are held out."""
    folder = tmp_path / "set"
    folder.mkdir()
    rows = []
    for place in range(4):
        pixels = np.random.default_rng(place).integers(0, 256, (8, 8, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{place}.png")
        row = {"image": f"{place}.png", "instruction": "lift it"}
        row |= {"box": [0.1, 0.1, 0.5, 0.5], "waypoints": [[0.2, 0.3], [0.4, 0.1]]}
        rows.append(row | {"split": ("train", "test")[place % 2]})
    (folder / "items.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return "env=offline", f"data.path={folder}"


@pytest.fixture
def totals(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the bars of a command run up to, by what stands before them."""
    found: dict[str, int] = {}
    real = Screen.task

    def task(self: Screen, name: str, total: int, done: int = 0) -> Any:
        found[name] = total
        return real(self, name, total, done)

    monkeypatch.setattr(Screen, "task", task)
    return found


def test_a_model_is_gone_before_the_next_is_loaded(monkeypatch) -> None:
    models: list[weakref.ref[Any]] = []
    held: list[int] = []
    real = policy.load

    def load(*arguments: Any, **options: Any) -> Any:
        held.append(sum(model() is not None for model in models))
        vlm = real(*arguments, **options)
        models.append(weakref.ref(vlm.model))
        return vlm

    monkeypatch.setattr(policy, "load", load)
    assert call("evaluate", "policy=[tiny,tiny]", *QUICK) == ""
    assert held == [0, 0]


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ("[pick_mug]", "pick_mug"),
        ("[offline,pick_mug]", "pick_mug"),
        ("[pick_mug,press_button]", "all"),
    ],
)
def test_pairs_of_one_kind_of_scene_are_called_by_it(env, name, images, tmp_path):
    out = tmp_path / "rows.json"
    data = images[1:] if "offline" in env else ()
    asked = (f"env={env}", "policy=[null,expert]", f"out={out}")
    assert call("evaluate", *asked, *data, *QUICK) == ""
    pairs = json.loads(out.with_suffix(".pairs.json").read_text())
    assert next(iter(pairs))["env"] == name


def test_bars_run_up_to_as_many_images_as_are_asked(images, totals, tmp_path) -> None:
    assert call("evaluate", *images, "policy=null", "n=400") == ""
    assert call("train", *images, *BRIEF, f"run_dir={tmp_path / 'run'}") == ""
    training = totals.pop("training")
    names = ("null: offline", "evaluating before", "evaluating after")
    assert totals == dict.fromkeys(names, 2) and training == 1


@pytest.mark.parametrize(("rank", "lines"), [("0", 2), ("1", 0)])
def test_the_first_of_several_processes_speaks_alone(
    rank, lines, images, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("RANK", rank)
    assert "exists" in call("train", *images, f"run_dir={tmp_path}")
    said = capsys.readouterr().out
    assert said.count("\n") == lines
    assert ("reward=paper" in said and "annotated images" in said) == bool(lines)
