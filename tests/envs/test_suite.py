"""The frozen suite: the same scenes on every machine, or an error that says so."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from commands import ROOT

import envs
from envs.sampling.settle import settle
from envs.sampling.suite import Frozen, Suite, digest, freeze, load_suite, save_suite
from envs.scene import SceneConfig
from envs.state import State
from policy.evaluation.baselines import BASELINES
from policy.evaluation.evaluate import Exam, evaluate
from policy.rollout.play import Referee, answer_scripted
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers

SHIPPED = ROOT / "assets" / "suite.json"


@pytest.fixture(scope="module")
def scenes() -> list[envs.Scene]:
    return [envs.make_scene("press_button", "test", seed) for seed in range(3)]


def test_a_suite_comes_back_as_it_was_saved(scenes, tmp_path) -> None:
    suite = freeze(scenes)
    save_suite(suite, tmp_path / "suite.json")
    assert load_suite(tmp_path / "suite.json") == suite
    assert suite.list_seeds("press_button", "test") == [0, 1, 2]
    assert suite.list_draws("press_button", "test") == {0: 0, 1: 0, 2: 0}


def test_a_suite_of_digests_alone_is_read_and_its_scenes_are_tried(tmp_path) -> None:
    path = tmp_path / "suite.json"
    path.write_text('{"press_button": {"test": {"0": "d2a1b0b1761792af"}}}')
    suite = load_suite(path)
    assert suite.list_seeds("press_button", "test") == [0]
    assert suite.list_draws("press_button", "test") == {}


def test_a_digest_tells_scenes_apart_and_is_the_same_again(scenes) -> None:
    assert len({digest(scene) for scene in scenes}) == len(scenes)
    again = envs.make_scene("press_button", "test", 0, verify=False)
    assert digest(again) == digest(scenes[0])
    asking = replace(again.observation, instruction="press it")
    assert digest(replace(again, observation=asking)) != digest(again)


LIGHT = ("light_pos", "light_ambient", "mat_rgba")
PHYSICS = ("geom_friction", "body_mass", "jnt_range", "gravity", "impratio")
MOTION = ("dof_frictionloss", "dof_armature", "geom_solref", "actuator_biasprm")


@pytest.mark.parametrize("what", [*LIGHT, *PHYSICS, *MOTION])
def test_a_digest_is_of_light_and_physics_too(what, scenes) -> None:
    scene = envs.make_scene("press_button", "test", 0)
    part = scene.model if hasattr(scene.model, what) else scene.model.opt
    setattr(part, what, getattr(part, what) * 1.01 + 0.01)
    assert digest(scene) != digest(scenes[0])


def test_a_digest_is_of_what_is_built_not_of_the_last_bit_of_where_it_rests() -> None:
    config = SceneConfig(name="use_tool", split="test", seed=2741338606, draw=0)
    scene = envs.sample_scene(config)
    model = copy(scene.model)
    model.qpos0[:] = np.nextafter(model.qpos0, 1.0)
    rested = settle(model)
    assert isinstance(rested, State)
    assert np.abs(rested.data.qpos - scene.data.qpos).max() > 1e-5  # a turner rocks
    assert digest(replace(scene, state=rested)) == digest(scene)


def test_a_digest_is_of_what_is_judged(scenes) -> None:
    scene = next(scene for scene in scenes if scene.others)
    goal = replace(scene.others[0], instruction=scene.instruction)
    assert digest(replace(scene, goal=goal)) != digest(scene)


def test_digests_of_earlier_versions_are_said_to_be_such(scenes) -> None:
    old = Suite(scenes={("press_button", "test"): {0: Frozen("d2a1b0b1761792af")}})
    with pytest.raises(ValueError, match=r"d2a1b0b1761792af, is an earlier version's"):
        old.check(scenes[:1])


def test_another_scene_than_the_frozen_one_is_named(scenes) -> None:
    suite = freeze([replace(scenes[0], config=replace(scenes[0].config, seed=1))])
    with pytest.raises(
        ValueError, match=r"'press_button', split 'test', seed 1 is not"
    ):
        suite.check([scenes[1]])


def test_unknown_names_list_the_valid_ones_and_no_suite_is_said_to_be_none(
    tmp_path,
) -> None:
    suite = Suite(scenes={("press_button", "test"): {}})
    with pytest.raises(ValueError, match=r"unknown env 'x'; valid: press_button"):
        suite.list_seeds("x", "test")
    with pytest.raises(ValueError, match=r"unknown split 'ood'; valid: test"):
        suite.list_seeds("press_button", "ood")
    one = '{"press_button": {"test": {"0": %s}}}'
    for odd in ("[1]", "[" * 100_000, one % '["a", "0"]', one % "[3, 0]", one % "[]"):
        (tmp_path / "odd.json").write_text(odd)
        with pytest.raises(ValueError, match=r"odd\.json is not an evaluation suite"):
            load_suite(tmp_path / "odd.json")


def test_an_evaluation_takes_the_suites_seeds_and_no_more(scenes) -> None:
    expert, source = (
        answer_scripted(BASELINES["expert"]),
        SceneSource(names=("press_button",), split="test"),
    )
    with Workers(0) as workers:
        exam = Exam(source=source, n=2, suite=freeze(scenes))
        _, rollouts = evaluate(expert, exam, Referee(workers=workers), keep=2)
    assert [rollout.scene.seed for rollout in rollouts] == [0, 1]
    with pytest.raises(ValueError, match="n is 4; the suite has 3"):
        Exam(source=source, n=4, suite=freeze(scenes))


@pytest.mark.parametrize(
    "odd",
    [
        {"varied": True},
        {"shifts": ("camera",)},
        {"camera": {"azimuth": 50}},
        {"robot": "ur5e"},
    ],
)
def test_a_suite_refuses_to_show_its_scenes_in_another_way(odd: dict) -> None:
    source = SceneSource(names=("press_button",), split="ood", **odd)
    with pytest.raises(ValueError, match="a suite has"):
        Exam(source=source, n=2, suite=load_suite(SHIPPED))


@pytest.mark.parametrize("split", ["test", "ood"])
@pytest.mark.parametrize("name", envs.scenes.__all__)
def test_the_shipped_suite_is_what_this_version_builds(name: str, split: str) -> None:
    suite = load_suite(SHIPPED)
    seeds = suite.list_seeds(name, split)
    assert len(seeds) == len(suite.list_draws(name, split)) == 100
    suite.check([envs.make_scene(name, split, seed) for seed in seeds[:2]])
