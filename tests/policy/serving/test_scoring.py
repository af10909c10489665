"""Files that export.py wrote, and the rewards that TRL and verl get for answers."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from commands import ROOT, call
from datasets import load_dataset

import envs
from envs.scene import SceneConfig
from policy.model.prompt import build_prompt, format_words
from policy.rollout.crew import LostWork
from policy.serving.case import Case, read_case, write_case
from policy.serving.judge import read_mix
from policy.serving.pool import close_pools
from policy.serving.trl import SceneReward
from policy.serving.verl import compute_score
from rewards import RewardMix, score

NONSENSE = "I would rather not."
SCRIPT = """
import sys
from policy.serving.trl import SceneReward
print("the script")
case, text = sys.argv[1:]
print(SceneReward(workers=1)([""] * 2, [text, "no"], None, scene=[case] * 2))
"""


def export(form: str, out: Path, *more: str) -> str:
    asked = (f"format={form}", "env=press_button", "n=2", "rollout.workers=0")
    return call("export", *asked, f"out={out}", *more)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is written for each trainer, as the default policy is asked."""
    folder = tmp_path_factory.mktemp("prompts")
    for form in ("trl", "verl"):
        assert not export(form, folder / form, "policy=tiny", "split=test")
    return {form: folder / form for form in ("trl", "verl")}


@pytest.fixture(scope="module")
def cases(written: dict[str, Path]) -> list[str]:
    return pq.read_table(written["trl"], columns=["scene"])["scene"].to_pylist()


@pytest.fixture(scope="module")
def scenes(cases: list[str]) -> list[envs.Scene]:
    return [envs.sample_scene(read_case(case).scene) for case in cases]


@pytest.fixture(scope="module")
def sound(scenes: list[envs.Scene]) -> list[str]:
    """The experts' answers."""
    return [envs.format_answer(scene.reference.to_plan()) for scene in scenes]


def say(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


def test_trl_reads_the_image_and_the_words_of_each_scene(written, scenes) -> None:
    rows = load_dataset(str(written["trl"]), split="train")
    assert rows.column_names == ["prompt", "image", "scene"]
    for row, scene in zip(rows, scenes, strict=True):
        assert (np.asarray(row["image"]) == scene.observation.image).all()
        assert row["prompt"] == [{"role": "user", "content": scene.instruction}]


def test_verl_finds_its_columns(written, cases, scenes) -> None:
    rows = pq.read_table(written["verl"]).to_pylist()
    for row, case, scene in zip(rows, cases, scenes, strict=True):
        assert row["reward_model"] == {"style": "rule", "ground_truth": case}
        assert row["prompt"][0]["content"] == f"<image>{scene.instruction}"
        assert row["images"][0]["bytes"].startswith(b"\x89PNG")
        assert row["extra_info"]["seed"] == scene.seed


def test_a_model_that_does_not_know_the_format_is_told(tmp_path, scenes) -> None:
    assert not export("trl", tmp_path / "set", "split=test")
    [row, _] = load_dataset(str(tmp_path / "set"), split="train")
    words = format_words(build_prompt(scenes[0].observation), "paper")
    assert row["prompt"][0]["content"] == words and "<answer>" in words


def test_what_is_told_stays_in_the_words(tmp_path) -> None:
    file = tmp_path / "known.yaml"
    file.write_text("- {use: button, hold: nothing}\n")
    assert not export("trl", tmp_path / "set", f"knowledge={file}")
    for row in pq.read_table(tmp_path / "set").to_pylist():
        assert "hold nothing." in row["prompt"][0]["content"]
        assert read_case(row["scene"]).scene.knowledge == "none"


@pytest.mark.parametrize(
    ("words", "culprit"),
    [
        (["policy=random"], "policy=random is not asked"),
        (["only=success"], "only=success"),
        (["run_dir=runs/a"], "run_dir= takes answers"),
    ],
)
def test_what_is_for_answers_is_refused(tmp_path, words, culprit) -> None:
    assert culprit in export("verl", tmp_path / "set", *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["success", "mixed", "gated"])
def test_a_reward_is_what_training_would_give(cases, scenes, sound, name) -> None:
    logged: dict[str, Any] = {}
    texts = [sound[0], NONSENSE, sound[0], sound[1]]
    asked = [cases[0], cases[0], cases[1], cases[1]]
    found = SceneReward(name, workers=0)(
        [""] * 4,
        [say(text) for text in texts],
        [[1]] * 4,
        scene=asked,
        trainer_state=None,
        log_metric=logged.__setitem__,
        log_extra=logged.__setitem__,
    )
    expected, done = [], []
    for case, text in zip(asked, texts, strict=True):
        scene, answer = scenes[cases.index(case)], envs.parse_answer(text)
        [outcome] = envs.simulate(scene, [answer])
        expected.append(score(answer, scene.reference, outcome, read_mix(name)).total)
        done.append(outcome.success)
    assert found == expected
    assert logged["success"] == np.mean(done) and logged["parsed"] == 0.75
    assert logged["reason"][1] == "no_answer"


@pytest.mark.parametrize(
    "completion",
    ["", [], say(""), [{"role": "assistant", "content": None}], "<answer>" * 99],
    ids=["nothing", "no turn", "an empty turn", "no content", "tags"],
)
def test_a_bad_answer_earns_nothing(cases, completion) -> None:
    assert SceneReward(workers=0)([""], [completion], None, scene=cases[:1]) == [0.0]


def test_a_column_that_is_none_is_one_error(cases) -> None:
    reward = SceneReward(workers=0)
    with pytest.raises(ValueError, match="no column scene.*columns: image"):
        reward([""], [NONSENSE], None, image=[None])
    for hostile in ("{}", None, {"name": "pick_mug"}):
        with pytest.raises(ValueError, match="is no scene"):
            reward([""] * 2, [NONSENSE] * 2, None, scene=[cases[0], hostile])


def test_a_reward_that_cannot_be_given_is_refused() -> None:
    case = write_case(Case(scene=SceneConfig(name="press_button"), answer="affordance"))
    with pytest.raises(ValueError, match="reward=paper"):
        SceneReward(workers=0)([""], [NONSENSE], None, scene=[case])
    with pytest.raises(ValueError, match=r"'sucess'.*success"):
        SceneReward("sucess")
    with pytest.raises(ValueError, match=r"engine 'dask'.*ray"):
        SceneReward(engine="dask")


def test_part_of_a_plan_is_compared_and_not_executed(scenes) -> None:
    config = scenes[0].config
    case = write_case(Case(scene=config, answer="affordance"))
    text = envs.format_answer(scenes[0].reference.to_answer("affordance"))
    reward = SceneReward({"affordance": 1.0}, workers=0)
    [good, bad] = reward([""] * 2, [text, NONSENSE], None, scene=[case] * 2)
    assert good > 0.9 and bad == 0


def test_verl_scores_several_answers_at_once(cases, sound) -> None:
    assert inspect.iscoroutinefunction(compute_score)

    async def judge() -> list[dict[str, float]]:
        texts = [sound[0], NONSENSE, sound[1]]
        return await asyncio.gather(
            *(
                compute_score(
                    data_source="graspo",
                    solution_str=text,
                    ground_truth=case,
                    extra_info={"num_turns": 1},
                    reward={"success": 1.0, "format": 0.5},
                    workers=2,
                )
                for text, case in zip(texts, [cases[0], *cases], strict=True)
            )
        )

    found = asyncio.run(judge())
    assert found == asyncio.run(judge())  # by the same processes
    assert [row["score"] for row in found] == [1.0, 0.0, 1.0]
    assert [row["acc"] for row in found] == [1.0, 0.0, 1.0]
    assert [row["parsed"] for row in found] == [1.0, 0.0, 1.0]
    close_pools()


def test_verl_is_told_of_a_ground_truth_that_is_none() -> None:
    with pytest.raises(ValueError, match="is no scene"):
        asyncio.run(compute_score("graspo", NONSENSE, "42"))


@pytest.mark.parametrize("name", ["worker", "rewards", "weights"])
def test_an_option_that_verl_does_not_have_is_named(cases, name) -> None:
    valid = "valid: reward, workers, engine, address"
    with pytest.raises(ValueError, match=f"unknown reward_kwargs '{name}'; {valid}"):
        asyncio.run(compute_score("graspo", NONSENSE, cases[0], workers=0, **{name: 0}))


def test_what_verl_itself_adds_changes_nothing(cases, sound) -> None:
    own = {"reward_router_address": "10.0.0.1:80", "reward_model_tokenizer": object()}
    asked = ("graspo", sound[0], cases[0])
    assert asyncio.run(compute_score(*asked, workers=0, **own))["score"] == 1.0


def test_answers_that_nobody_can_judge_earn_nothing(cases, monkeypatch) -> None:
    def lose(*_: object) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(LostWork("its process ended (-9)"))
        return future

    monkeypatch.setattr("policy.serving.trl.start_judging", lose)
    logged: dict[str, Any] = {}
    with pytest.warns(UserWarning, match=r"2 answers: its process ended"):
        found = SceneReward(workers=0)(
            *([""] * 2, [NONSENSE] * 2, None),
            scene=[cases[0]] * 2,
            log_extra=logged.__setitem__,
        )
    assert found == [0.0, 0.0]
    assert logged["reason"] == ["execution never ended"] * 2


def test_a_script_without_a_main_guard_runs_once(cases, sound, tmp_path) -> None:
    """Processes that are spawned as usual would run it again, each of them."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), cases[0], sound[0]],
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "the script\n[1.0, 0.0]\n", done.stderr


def test_weights_and_names_of_rewards_are_both_taken() -> None:
    mix = read_mix("mixed")
    assert read_mix(mix) is mix
    assert read_mix(dict(mix.weights)) == RewardMix(weights=mix.weights)


@pytest.mark.parametrize("reward", [None, 5, ["success"]])
def test_what_is_no_reward_is_one_error(cases, reward) -> None:
    with pytest.raises(ValueError, match=r"reward is .*; valid: the name"):
        SceneReward(reward)
    with pytest.raises(ValueError, match=r"reward is .*; valid: the name"):
        asyncio.run(compute_score("graspo", NONSENSE, cases[0], reward=reward))
