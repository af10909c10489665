"""Prompts: what a policy is asked, in the words its settings say."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from envs.answer import NORMALIZED, PARSERS, Codec
from envs.records import ANSWERS, Camera, Observation, ParseFailure
from policy.model.prompt import build_messages, build_prompt, format_words
from policy.model.settings import (
    Settings,
    get_family_settings,
    load_settings,
    save_settings,
)
from policy.records import Prompt


def make_observation() -> Observation:
    camera = Camera(width=4, height=2, K=np.eye(3), T_world_camera=np.eye(4))
    image = np.zeros((2, 4, 3), np.uint8)
    return Observation(image=image, camera=camera, instruction="Lift the red mug")


def ask(instruction: str, waypoints: str = "2d", answer: str = "plan") -> Prompt:
    image = np.zeros((2, 2, 3), np.uint8)
    return Prompt(
        image=image, instruction=instruction, waypoints=waypoints, answer=answer
    )


def test_a_prompt_carries_image_and_instruction_of_its_observation() -> None:
    observation = make_observation()
    prompt = build_prompt(observation)
    assert prompt.image is observation.image
    assert prompt.instruction == "Lift the red mug"
    assert prompt.answer == "plan"
    part = replace(observation, answer="affordance")
    assert build_prompt(part).answer == "affordance"


def test_messages_are_one_user_turn_of_image_and_words() -> None:
    (turn,) = build_messages(build_prompt(make_observation()))
    assert turn["role"] == "user"
    assert [part["type"] for part in turn["content"]] == ["image", "text"]


def test_the_short_style_is_the_instruction_alone() -> None:
    assert format_words(ask("Lift the red mug"), "short") == "Lift the red mug"


@pytest.mark.parametrize("waypoints", ["2d", "3d"])
@pytest.mark.parametrize("kind", ANSWERS)
def test_the_paper_style_explains_a_grammar_that_the_parser_reads(
    waypoints: str, kind: str
) -> None:
    words = format_words(ask("Lift the red mug", waypoints, kind), "paper")
    assert 'The task is "Lift the red mug".' in words
    example = words.rsplit("\n", 1)[-1]
    numbers = iter([100, 200, 300, 400, *range(500, 509)])
    answer = re.sub(r"\b[xyh][12]?\b", lambda _: str(next(numbers)), example)
    read = PARSERS[kind](answer, NORMALIZED)
    assert not isinstance(read, ParseFailure)
    assert read.well_formed
    assert getattr(read, "box", (0.1, 0.2, 0.3, 0.4)) == (0.1, 0.2, 0.3, 0.4)
    lengths = {len(point) for point in getattr(read, "waypoints", ())}
    assert lengths == ({int(waypoints[0])} if kind != "affordance" else set())
    heights = waypoints == "3d" and kind != "affordance"
    assert ("millimetres" in words) == heights


def test_the_paper_style_asks_for_a_part_in_the_words_of_the_paper() -> None:
    start = 'You are a robot using the joint control. The task is "x". Please predict '
    box = "a possible affordance area of the end effector"
    path = "3-10 trajectory points of the end effector to complete the task"
    asked = {kind: format_words(ask("x", answer=kind), "paper") for kind in ANSWERS}
    assert asked["plan"].startswith(f"{start}{box}, and {path}.\n")
    assert asked["affordance"].startswith(f"{start}{box}.\n")
    assert asked["trajectory"].startswith(f"{start}{path}.\n")
    assert "trajectory" not in asked["affordance"]
    assert "affordance" not in asked["trajectory"]


def test_the_paper_style_names_the_coordinates_of_the_codec() -> None:
    assert "from 0 to 1000" in format_words(ask("x"), "paper", NORMALIZED)
    assert "644 x 476 pixels" in format_words(ask("x"), "paper", Codec(644, 476))


def test_an_unknown_style_names_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"'terse'.*paper.*short"):
        format_words(ask("x"), "terse")


def test_settings_come_back_as_they_were_saved(tmp_path) -> None:
    settings = Settings(prompt_style="short", coordinates="pixels")
    save_settings(tmp_path, settings)
    assert load_settings(tmp_path, "qwen3_vl") == settings


@pytest.mark.parametrize(
    ("model_type", "coordinates"),
    [("qwen2_5_vl", "pixels"), ("qwen2_vl", "normalized"), ("smolvlm", "normalized")],
)
def test_without_settings_a_directory_has_those_of_its_family(
    tmp_path, model_type: str, coordinates: str
) -> None:
    assert load_settings(tmp_path, model_type) == get_family_settings(model_type)
    assert get_family_settings(model_type).coordinates == coordinates


def test_a_file_that_says_nothing_of_coordinates_leaves_them_to_the_family(
    tmp_path,
) -> None:
    (tmp_path / "graspo.json").write_text('{"prompt_style": "short"}')
    settings = load_settings(tmp_path, "qwen2_5_vl")
    assert settings == Settings(prompt_style="short", coordinates="pixels")


def test_coordinates_of_an_unknown_family_have_to_be_set(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"'newvlm'.*set policy\.coordinates.*pixels"):
        load_settings(tmp_path, "newvlm")
    assert load_settings(tmp_path, "newvlm", "pixels").coordinates == "pixels"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ('{"style": "short"}', "keys may be"),
        (json.dumps({"prompt_style": "terse"}), "graspo.json.*'terse'.*paper"),
        (json.dumps({"coordinates": "metres"}), "'metres'.*normalized"),
        (json.dumps({"blind": "false"}), "blind is 'false'; choose true or false"),
    ],
)
def test_bad_settings_name_the_culprit(tmp_path, text: str, message: str) -> None:
    (tmp_path / "graspo.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_settings(tmp_path, "qwen3_vl")
