"""Kinds of things that are left out of a scene never come."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.objects.tools import KINDS
from envs.randomization.factors import Factors
from envs.sampling.suite import digest
from envs.scenes import use_tool
from policy.rollout.scene_source import SceneSource
from policy.sft.data import ExampleSource, ExampleStream

LEFT_OUT = ("saw", "ladle", "bowl")
OTHERS = tuple(kind for kind in KINDS if kind not in LEFT_OUT)


def draw_kinds(split: str, without: tuple[str, ...]) -> set[str]:
    """Kinds of tools in 1,500 draws."""
    found: set[str] = set()
    for seed in range(1500):
        factors = Factors(np.random.default_rng(seed), split, without=without)
        found |= {tool.kind for tool in use_tool._choose(factors)[1]}
    return found


@pytest.mark.parametrize("split", ["train", "ood"])
def test_all_other_kinds_come_and_those_left_out_do_not(split: str) -> None:
    assert draw_kinds(split, ()) == {*KINDS}
    assert draw_kinds(split, LEFT_OUT) == {*OTHERS}
    assert draw_kinds(split, OTHERS) == {*LEFT_OUT}


def test_a_warm_start_meets_neither_images_nor_names_of_what_is_left_out(monkeypatch):
    built: list[str] = []
    add = use_tool.add_tool

    def note(spec, name, tool, *rest):
        built.append(tool.kind)
        add(spec, name, tool, *rest)

    monkeypatch.setattr(use_tool, "add_tool", note)
    scenes = SceneSource(names=("use_tool",), without=LEFT_OUT, varied=True)
    stream = ExampleStream(ExampleSource(scenes), seed=0)
    for i in range(40):
        example = stream[i]
        words = f"{example.instruction} {example.plan.thought}"
        assert not [kind for kind in LEFT_OUT if kind in words.lower()], words
    assert len(built) >= 40 and not {*built} & {*LEFT_OUT}


def test_what_a_scene_lacks_stands_in_its_configuration() -> None:
    scene = envs.make_scene("use_tool", seed=4, without=OTHERS)
    plain = scene.config.to_dict()
    assert plain["without"] == [*OTHERS]
    assert digest(envs.sample_scene(envs.SceneConfig(**plain))) == digest(scene)
    assert scene.goal.thought.split(",")[0] in LEFT_OUT


def test_other_scenes_beside_it_are_as_they_were() -> None:
    scenes = SceneSource(names=("press_button", "use_tool"), without=("saw",))
    assert scenes.choose(0).without == ()
    assert scenes.choose(1).without == ("saw",)


@pytest.mark.parametrize(
    ("name", "without", "message"),
    [
        ("use_tool", ["axe"], "unknown without 'axe'; valid: hammer, knife"),
        ("use_tool", [*KINDS], "use_tool has no kind left"),
        ("pick_mug", ["saw"], "without=saw: nothing to leave out of pick_mug"),
    ],
)
def test_what_cannot_be_left_out_is_refused(name, without, message) -> None:
    with pytest.raises(ValueError, match=message):
        envs.make_scene(name, without=without)


def test_a_frozen_suite_has_all_kinds() -> None:
    with pytest.raises(ValueError, match=r"without=\['saw'\]: a suite has all"):
        SceneSource(names=("use_tool",), without=("saw",)).check_frozen()
