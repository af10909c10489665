"""Answers on disk: what was executed can be executed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import envs
from envs.records import Affordance, Completion, ParseFailure, Trajectory
from envs.rollout import Rollout
from envs.scene import SceneConfig
from policy.report.run import read_run
from policy.rollout.log import (
    IMAGES,
    TEXT_LIMIT,
    EvaluationLog,
    describe_rollout,
    read_answer,
    read_answers,
    read_rows,
    save_jpeg,
)
from policy.rollout.rebuild import read_episodes


def test_a_row_makes_the_same_scene_and_answer_again(tmp_path: Path) -> None:
    scene = envs.make_scene("place_in_bowl", split="ood", seed=5, shifts=["camera"])
    assert scene.reference is not None
    plan = scene.reference.to_plan().move(0.013, -0.007)
    outcome = envs.simulate(scene, [plan])[0]
    completion = Completion(text=envs.format_answer(plan))
    rollout = Rollout(scene=scene, completion=completion, answer=plan, outcome=outcome)
    log = EvaluationLog(tmp_path, "before")
    log.add([rollout])
    log.save()
    (row,) = read_rows(tmp_path / "before.jsonl")
    again = envs.sample_scene(SceneConfig(**row["scene"]))
    assert (again.observation.image == scene.observation.image).all()
    read = read_answer(row)
    assert (read.box, read.waypoints) == (plan.box, plan.waypoints)  # type: ignore
    assert envs.simulate(again, [read]) == [outcome]  # type: ignore
    assert row["turn"] == 1 and row["success"] == outcome.success
    assert tuple(row["expert"]["box"]) == scene.reference.box
    picture = np.asarray(Image.open(tmp_path / IMAGES / row["image"]), float)
    assert abs(picture - scene.observation.image).mean() < 4
    low, high = 14, 22  # degrees: the held-out camera
    assert low <= row["factors"]["camera azimuth"] <= high


@pytest.mark.parametrize(
    "answer",
    [
        Affordance(box=(0.1, 0.2, 0.3, 0.4)),
        Trajectory(waypoints=((0.1, 0.2, 0.05), (0.3, 0.4, 0.1), (0.5, 0.6, 0.0))),
        ParseFailure(reason="no_answer"),
    ],
)
def test_parts_of_plans_and_failures_are_read_as_they_were(answer) -> None:
    scene = envs.make_scene("pick_mug", seed=1)
    said = Completion(text="x" * (TEXT_LIMIT + 1))
    row = describe_rollout(Rollout(scene=scene, completion=said, answer=answer))
    assert read_answer(json.loads(json.dumps(row))) == answer
    assert len(row["text"]) == TEXT_LIMIT


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert read_rows(path) == []
    path.write_text('{"turn": 1}\n{"turn": 2}\n{"tur')
    assert read_rows(path) == [{"turn": 1}, {"turn": 2}]
    path.write_text('{"turn": 1}\n{"tur\n{"turn": 2}\n')
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 2 is no JSON"):
        read_rows(path)


def test_a_kill_leaves_no_half_of_a_picture(tmp_path: Path, monkeypatch) -> None:
    def die(image: Image.Image, file: Any, *_: object, **__: object) -> None:
        if isinstance(file, Path):
            file.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", die)
    with pytest.raises(KeyboardInterrupt):
        save_jpeg(np.zeros((8, 8, 3), np.uint8), tmp_path / "a.jpg")
    assert not (tmp_path / "a.jpg").exists()


@pytest.mark.parametrize("lost", ["text", "scene", "terms"])
def test_a_row_that_is_no_answer_is_named(tmp_path: Path, lost: str) -> None:
    scene = envs.make_scene("press_button", verify=False)
    rollout = Rollout(
        scene=scene, completion=Completion(text=""), answer=ParseFailure(reason="x")
    )
    row = describe_rollout(rollout)
    path = tmp_path / "evaluations" / "after.jsonl"
    path.parent.mkdir()
    path.write_text(json.dumps(row) + "\n")
    assert read_episodes(tmp_path) == [read_answers(path)]
    del row[lost]
    path.write_text(path.read_text() + json.dumps(row) + "\n")
    for read in (read_episodes, read_run):
        with pytest.raises(ValueError, match=rf"line 2 is no answer: it lacks {lost}"):
            read(tmp_path)
