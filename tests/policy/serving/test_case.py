"""What an answer is judged by goes through a table and comes back, or is refused."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.answer import Codec
from envs.records import ANSWERS
from envs.scene import SceneConfig
from policy.serving.case import OPTIONS, Case, read_case, write_case

SOUND = json.loads(write_case(Case(scene=SceneConfig(name="pick_mug", seed=3))))


@given(
    seed=st.integers(0, 2**63),
    answer=st.sampled_from(ANSWERS),
    size=st.integers(1, 10_000),
    azimuth=st.floats(-60, 60),
)
def test_a_case_comes_back_as_it_was(
    seed: int, answer: str, size: int, azimuth: float
) -> None:
    scene = SceneConfig(
        name="open_drawer",
        split="ood",
        seed=seed,
        shifts=("camera",),
        colours={"red": "teal"},
        camera={"azimuth": azimuth},
        draw=2,
    )
    case = Case(scene=scene, answer=answer, codec=Codec(size, 1000))
    assert read_case(write_case(case)) == case


BROKEN = {
    "a number": 7,
    "nothing": None,
    "no JSON": "pick_mug",
    "a list": "[]",
    "deep": "[" * 10_000,
    "long": json.dumps(SOUND | {"scene": {"name": "x" * 20_000}}),
    "a key too many": json.dumps(SOUND | {"more": 1}),
    "an unknown answer": json.dumps(SOUND | {"answer": "__import__"}),
    "no codec": json.dumps(SOUND | {"codec": 1000}),
    "a codec of words": json.dumps(SOUND | {"codec": ["a", "b"]}),
    "a codec of truths": json.dumps(SOUND | {"codec": [True, True]}),
    "an endless codec": json.dumps(SOUND | {"codec": [float("inf"), 1]}),
}
SCENES = {
    "no name": {},
    "an unknown scene": {"name": "os.system"},
    "a list for a name": {"name": ["pick_mug"]},
    "an unknown option": {"name": "pick_mug", "task": "x"},
    "a seed below 0": {"name": "pick_mug", "seed": -1},
    "half a seed": {"name": "pick_mug", "seed": 0.5},
    "no seed": {"name": "pick_mug", "seed": None},
    "a true seed": {"name": "pick_mug", "seed": True},
    "a seed of words": {"name": "pick_mug", "seed": "3"},
    "an unknown split": {"name": "pick_mug", "split": "all"},
    "a camera nowhere": {"name": "pick_mug", "camera": {"azimuth": 1e9}},
    "a camera of words": {"name": "pick_mug", "camera": "left"},
    "colours in a list": {"name": "pick_mug", "colours": ["red"]},
    "an unknown robot": {"name": "pick_mug", "robot": "hal"},
    "a robot in a list": {"name": "pick_mug", "robot": ["panda"]},
    "an unknown look": {"name": "pick_mug", "look": "glass"},
    "shifts that are none": {"name": "pick_mug", "shifts": 5},
    "shifts in one word": {"name": "pick_mug", "split": "ood", "shifts": "shape"},
    "stretched by a number": {"name": "pick_mug", "stretched": 5},
    "without a number": {"name": "use_tool", "without": 5},
    "without lists": {"name": "use_tool", "without": [["saw"]]},
    "waypoints in a list": {"name": "pick_mug", "waypoints": ["2d"]},
    "a look of numbers": {"name": "pick_mug", "look": 5},
    "a word for verify": {"name": "pick_mug", "verify": "no"},
    "a draw of words": {"name": "pick_mug", "draw": "first"},
    "knowledge of a file": {"name": "use_tool", "knowledge": "assets/knowledge.yaml"},
    "knowledge of numbers": {"name": "use_tool", "knowledge": 5},
    "shifts of numbers": {"name": "pick_mug", "split": "ood", "shifts": [1]},
}
HOSTILE = BROKEN | {n: json.dumps(SOUND | {"scene": s}) for n, s in SCENES.items()}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_case_is_one_clear_error(text: object) -> None:
    with pytest.raises(ValueError, match="is no scene as scripts/export.py writes it"):
        read_case(text)


@pytest.mark.parametrize("option", sorted(OPTIONS.keys() - {"name"}))
def test_an_option_of_the_wrong_kind_is_named(option: str) -> None:
    said = json.dumps(SOUND | {"scene": {"name": "pick_mug", option: 0.5}})
    with pytest.raises(ValueError, match=f": {option} is 0.5; valid: "):
        read_case(said)


def test_every_option_of_a_scene_has_a_kind() -> None:
    assert OPTIONS.keys() == {field.name for field in fields(SceneConfig)}


def test_an_error_says_what_there_is_to_choose() -> None:
    with pytest.raises(ValueError, match=r"os\.system.*pick_mug") as caught:
        read_case(HOSTILE["an unknown scene"])
    assert "\n" not in str(caught.value)
