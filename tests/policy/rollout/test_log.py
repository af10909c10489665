"""Answers on disk: what was executed can be executed again."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import envs
from envs.records import Affordance, Completion, ParseFailure, Plan, Trajectory
from envs.rollout import Rollout
from envs.scene import SceneConfig
from policy.export.takes import find_log, read_takes
from policy.report.run import read_run
from policy.rollout.log import (
    IMAGES,
    TEXT_LIMIT,
    EvaluationLog,
    describe_episode,
    describe_rollout,
    read_answer,
    read_answers,
    read_rows,
    save_jpeg,
)
from policy.rollout.rebuild import read_episodes, rebuild
from policy.rollout.rows import SHOWN


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


@pytest.fixture(scope="module")
def row() -> dict[str, Any]:
    """A row of `evaluations/`, as it is read."""
    scene = envs.make_scene("press_button", verify=False)
    assert scene.reference is not None
    rollout = Rollout(
        scene=scene, completion=Completion(text=""), answer=scene.reference.to_plan()
    )
    [described] = describe_episode([rollout])
    return json.loads(json.dumps(described | {"image": "a.jpg"}))


def write(folder: Path, *rows: dict[str, Any], name: str = "after") -> Path:
    path = folder / "evaluations" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def export(run: Path) -> None:
    list(read_takes(find_log(run)))


@pytest.mark.parametrize("lost", ["text", "scene", "terms"])
def test_a_row_that_is_no_answer_is_named(tmp_path: Path, row, lost: str) -> None:
    path = write(tmp_path, row)
    assert read_episodes(tmp_path) == [read_answers(path)] == [[row]]
    write(tmp_path, row, {name: row[name] for name in row if name != lost})
    for read in (read_episodes, read_run, export):
        with pytest.raises(ValueError, match=rf"line 2 is no answer: it lacks {lost}"):
            read(tmp_path)


HUGE = 10**400  # of JSON, but no float
WRONG = {
    "env": [[1], None],
    "seed": ["x", 1.5, True],
    "scene": [None, [], {}, {"name": [1]}],
    "instruction": [None],
    "text": [None, 5],
    "box": ["abcd", [1, 2], [0, 0, 1, math.nan], [0, 0, 1, HUGE], [0, 0, 1, "1"], {}],
    "waypoints": [5, [], [1, 2], [[1, 2], [1, 2, 3]], [[1]], [[0, math.inf]], [None]],
    "parse_failure": [5],
    "success": ["no", None, 1],
    "reason": [5, False],
    "terms": [None, {"success": "x"}, {"success": None}],
    "reward": ["x", None, True],
    "turn": ["x", None],
    "expert": ["x", {}, {"box": None, "waypoints": []}],
    "factors": [[1], {"light": [1, 2]}, {"light": True}],
    "image": [5, None],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [pytest.param(k, v, id=f"{k}-{i}") for k in WRONG for i, v in enumerate(WRONG[k])],
)
def test_a_value_that_cannot_be_is_named_wherever_rows_are_read(
    tmp_path: Path, row, field: str, value: object
) -> None:
    path = write(tmp_path, row, row | {field: value})
    shown = repr(value)[:SHOWN]
    said = f"{path}, line 2 is no answer: {field} is {shown}; valid: "
    for read in (read_episodes, read_run, export):
        with pytest.raises(ValueError, match=re.escape(said)):
            read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"box": None, "waypoints": None, "parse_failure": "no_answer", "reason": ""},
        {"box": None, "waypoints": [[0, 1, 0.5]]},
        {"expert": None, "factors": {"light": 1, "first word": "press"}},
        {"expert": {"box": [0.0] * 4, "waypoints": []}, "terms": {}},
    ],
)
def test_what_may_be_missing_or_whole_is_no_mistake(tmp_path, row, change) -> None:
    path = write(tmp_path, row | change)
    assert read_answers(path) == [row | change]
    export(tmp_path)


def test_numbers_without_a_point_are_numbers(tmp_path: Path, row) -> None:
    [written] = read_answers(write(tmp_path, row | {"box": [0, 0, 1, 10**30]}))
    answer = read_answer(written)
    assert isinstance(answer, Plan) and answer.box == (0, 0, 1, 1e30)
    assert {type(value) for value in answer.box} == {float}


@pytest.mark.parametrize("wrong", [{"seed": "x"}, {"colours": 5}, {"unknown": 1}])
def test_a_scene_that_cannot_be_made_is_one_line(tmp_path, row, wrong) -> None:
    write(tmp_path, row | {"scene": row["scene"] | wrong})
    with pytest.raises(ValueError, match=r"after\.jsonl, line 1: "):
        export(tmp_path)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        list(rebuild(read_episodes(tmp_path)[0]))


def test_answers_of_a_run_come_before_what_was_played_in_it(tmp_path, row) -> None:
    played = row | {"text": "played"}
    write(tmp_path, played, name="played")
    assert read_episodes(tmp_path) == [[played]]
    for name in ("before", "after"):
        write(tmp_path, row | {"text": name}, name=name)
        assert read_episodes(tmp_path) == [[row | {"text": name}]]
        [take] = read_takes(find_log(tmp_path))
        assert take.text == name
