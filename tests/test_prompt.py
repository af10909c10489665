"""Prompts: what a policy is asked, in the words its settings say."""

import json
import re

import numpy as np
import pytest

from envs.answer import NORMALIZED, Codec, parse_answer
from envs.records import Camera, Observation, Plan
from policy.prompt import build_messages, build_prompt, format_words
from policy.records import Prompt
from policy.settings import (
    Settings,
    get_family_settings,
    load_settings,
    save_settings,
)


def make_observation() -> Observation:
    camera = Camera(width=4, height=2, K=np.eye(3), T_world_camera=np.eye(4))
    image = np.zeros((2, 4, 3), np.uint8)
    return Observation(image=image, camera=camera, instruction="Lift the red mug")


def ask(instruction: str, waypoints: str = "2d") -> Prompt:
    image = np.zeros((2, 2, 3), np.uint8)
    return Prompt(image=image, instruction=instruction, waypoints=waypoints)


def test_a_prompt_carries_image_and_instruction_of_its_observation() -> None:
    observation = make_observation()
    prompt = build_prompt(observation)
    assert prompt.image is observation.image
    assert prompt.instruction == "Lift the red mug"


def test_messages_are_one_user_turn_of_image_and_words() -> None:
    (turn,) = build_messages(build_prompt(make_observation()))
    assert turn["role"] == "user"
    assert [part["type"] for part in turn["content"]] == ["image", "text"]


def test_the_short_style_is_the_instruction_alone() -> None:
    assert format_words(ask("Lift the red mug"), "short") == "Lift the red mug"


@pytest.mark.parametrize("waypoints", ["2d", "3d"])
def test_the_paper_style_explains_a_grammar_that_the_parser_reads(waypoints) -> None:
    words = format_words(ask("Lift the red mug", waypoints), "paper")
    assert 'The task is "Lift the red mug".' in words
    assert "3-10 trajectory points" in words
    example = words.rsplit("\n", 1)[-1]
    numbers = iter([100, 200, 300, 400, *range(1, 10)])
    answer = re.sub(r"\b[xyh][12]?\b", lambda _: str(next(numbers)), example)
    plan = parse_answer(answer)
    assert isinstance(plan, Plan)
    assert plan.well_formed
    assert plan.box == (0.1, 0.2, 0.3, 0.4)
    assert len(plan.waypoints[0]) == int(waypoints[0])
    assert ("millimetres" in words) == (waypoints == "3d")


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
    [("qwen2_5_vl", "pixels"), ("qwen2_vl", "normalized"), ("other", "normalized")],
)
def test_without_settings_a_directory_has_those_of_its_family(
    tmp_path, model_type: str, coordinates: str
) -> None:
    assert load_settings(tmp_path, model_type) == get_family_settings(model_type)
    assert get_family_settings(model_type).coordinates == coordinates


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ('{"style": "short"}', "keys may be"),
        (json.dumps({"prompt_style": "terse"}), "graspo.json.*'terse'.*paper"),
        (json.dumps({"coordinates": "metres"}), "'metres'.*normalized"),
    ],
)
def test_bad_settings_name_the_culprit(tmp_path, text: str, message: str) -> None:
    (tmp_path / "graspo.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_settings(tmp_path, "qwen3_vl")
