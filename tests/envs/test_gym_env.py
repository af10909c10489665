"""The Gymnasium side: any text is an action, and equal seeds give equal episodes."""

from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs
import rewards
from envs import objects, registry
from envs.cameras.view import View
from envs.gym.env import ManipulationEnv
from envs.randomization.colours import PALETTE
from envs.records import Outcome, Plan
from envs.registry import name_env
from envs.robot import DEFAULT, get_robot
from envs.scene import Scene
from envs.skills import LIFT
from envs.task import Goal

ID = "graspo/PickMug-v0"
NUMBERS = '{"affordance": [%s], "trajectory": [%s]}'
HOSTILE = [
    "",
    " \n\t",
    "x" * 100_000,
    "[" * 50_000,
    '<answer>{"affordance": [1, 2, 3',
    NUMBERS % ("NaN, NaN, NaN, NaN", "[NaN, 1], [2, 2], [3, 3]"),
    NUMBERS % ("1e999, 0, 1, 1", "[1, 1], [2, 2], [3, 3]"),
    NUMBERS % ("9, 9, 1, 1", "[1, 1], [2, 2], [3, 3]"),
    NUMBERS % ("-9, 0, 1, 1", "[1, 1], [2, 2], [3, 3]"),
    *(NUMBERS % ("1, 1, 9, 9", ", ".join(["[5, 5]"] * n)) for n in (0, 1, 2, 500)),
    NUMBERS % ("[1, 1, 9, 9]", "[[[1, 1]]]"),
    "```json\n{}\n```",
    "把杯子拿起来 \x00 \ud800 🤖",
    "<answer>{}</answer><answer>{}</answer>",
    NUMBERS % ("0, 0, 1000, 1000", "[0, 0], [1000, 1000], [0, 1000]"),
    NUMBERS % ("0, 0, 1, 1", "[500, 500, 900], [1, 1, 0], [999, 1, 1000]"),
]


def answer_as_expert(scene: Scene) -> str:
    """The expert's text for the current scene."""
    reference = scene.reference
    return envs.format_answer(Plan(box=reference.box, waypoints=reference.waypoints))


@pytest.fixture(scope="module")
def env():
    """One registered environment for all tests that reset it."""
    env = gymnasium.make(ID)
    yield env
    env.close()


@pytest.mark.filterwarnings("error")
def test_gymnasium_finds_nothing_to_warn_of():
    env = gymnasium.make(ID, render_mode="rgb_array")
    check_env(env.unwrapped)
    env.close()


def test_ids_are_camel_case_whatever_a_plug_in_calls_its_scene():
    assert name_env("pick_mug") == ID
    assert name_env("my scene-2b") == "graspo/MyScene2b-v0"


def test_there_is_one_way_to_register_a_scene():
    assert envs.register_scene is registry.register_scene


def test_every_scene_has_an_environment_and_unknown_names_list_the_valid_ones():
    assert {name_env(scene) for scene in envs.list_scenes()} <= set(gymnasium.registry)
    with pytest.raises(ValueError, match=r"'pick_mgu'.*pick_mug"):
        ManipulationEnv("pick_mgu")
    with pytest.raises(ValueError, match=r"'tets'.*train, test, ood"):
        ManipulationEnv("pick_mug", split="tets")
    with pytest.raises(ValueError, match=r"max_turns=0"):
        gymnasium.make(ID, max_turns=0)
    with pytest.raises(ValueError, match=r"'human'.*rgb_array"):
        ManipulationEnv("pick_mug", render_mode="human")
    with pytest.raises(
        ValueError, match=r"'sound'.*depth, segmentation, target, propri"
    ):
        ManipulationEnv("pick_mug", extras=["sound"])


def test_an_episode_may_have_options_of_its_own(env):
    env.reset(seed=1, options={"split": "ood", "shifts": ["camera"]})
    config = env.unwrapped.scene.config
    assert (config.split, config.shifts) == ("ood", ("camera",))
    _, info = env.reset(options={"seed": 7})
    assert info["seed"] == 7 and env.unwrapped.scene.split == "train"
    again = envs.make_scene("pick_mug", seed=7)
    assert np.array_equal(
        again.observation.image, env.unwrapped.scene.observation.image
    )
    with pytest.raises(ValueError, match=r"unknown option 'spilt'; valid: split, seed"):
        env.reset(options={"spilt": "ood"})
    with pytest.raises(ValueError, match=r"unknown split 'odd'"):
        env.reset(options={"split": "odd"})
    with pytest.raises(ValueError, match=r"seed is '3'; valid: whole numbers"):
        env.reset(options={"seed": "3"})
    with pytest.raises(ValueError, match=r"camera is 5; valid: of azimuth"):
        env.reset(options={"camera": 5})


def test_an_episode_has_no_arm_that_is_observed_in_another_size():
    env = ManipulationEnv("pick_mug", extras=["proprioception"])
    with pytest.raises(ValueError, match=r"make an environment with robot='ur5e'"):
        env.reset(options={"robot": "ur5e"})


def test_an_action_that_is_no_text_says_what_takes_it(env):
    env.reset(seed=0)
    with pytest.raises(TypeError, match=r"type ndarray, .*envs\.ArrayAction"):
        env.step(np.zeros(10))


def test_drawn_actions_are_plans_and_equal_seeds_draw_equal_ones(env):
    space = env.unwrapped.action_space
    space.seed(0)
    texts = [space.sample() for _ in range(20)]
    plans = [envs.parse_answer(text) for text in texts]
    assert all(isinstance(plan, Plan) and plan.well_formed for plan in plans)
    assert {len(plan.waypoints) for plan in plans} > {3, 10}
    assert all(text in space for text in [*texts, "", "anything else"])
    space.seed(0)
    assert [space.sample() for _ in range(20)] == texts
    with pytest.raises(ValueError, match="no mask"):
        space.sample(mask=(3, None))


def test_more_can_be_observed():
    extras = ("depth", "segmentation", "target", "proprioception")
    env = ManipulationEnv("pick_mug", extras=extras)
    check_env(env, skip_render_check=True)
    observation, _ = env.reset(seed=0)
    scene = env.scene
    assert observation in env.observation_space
    marked = observation["segmentation"] == 1 + scene.part_classes.index("handle")
    assert (marked[envs.mark_target(scene)] == ("handle" in scene.goal.part)).all()
    assert np.array_equal(observation["target"] == 1, envs.mark_target(scene))
    x, y = np.argwhere(envs.mark_target(scene))[0][::-1]
    point = np.array([[(x + 0.5) / 224, (y + 0.5) / 224]])
    surface = View(scene.state, scene.observation.camera).cast(point)[0]
    axis = scene.observation.camera.T_world_camera[:3, 2]
    away = (surface - scene.observation.camera.T_world_camera[:3, 3]) @ axis
    assert observation["depth"][y, x] == pytest.approx(away, abs=2e-3)
    assert np.allclose(observation["proprioception"][:7], get_robot(DEFAULT).home)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_is_a_legal_action_that_fails_for_a_reason(env, text):
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(text)
    assert env.observation_space.contains(observation)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert not info["success"] and info["failure_reason"]


def test_a_failed_parse_leaves_the_image_as_it_was(env):
    before, _ = env.reset(seed=1)
    after, *_ = env.step("nothing")
    assert np.array_equal(before["image"], after["image"])


def test_the_experts_answer_terminates_with_success(env):
    before, start = env.reset(seed=2)
    text = answer_as_expert(env.unwrapped.scene)
    after, reward, terminated, truncated, info = env.step(text)
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["success"] and info["is_success"] and info["failure_reason"] == ""
    assert isinstance(info["outcome"], Outcome)
    assert info["task_description"] == before["instruction"] == after["instruction"]
    assert info["seed"] == start["seed"]
    assert not np.array_equal(before["image"], after["image"])


def test_equal_seeds_give_equal_images_and_outcomes(env):
    other = gymnasium.make(ID)
    (a, _), (b, _) = env.reset(seed=3), other.reset(seed=3)
    assert np.array_equal(a["image"], b["image"])
    text = answer_as_expert(env.unwrapped.scene)
    (a, *one), (b, *two) = env.step(text), other.step(text)
    assert np.array_equal(a["image"], b["image"]) and one == two
    (a, _), (b, _) = env.reset(), other.reset()  # and so on through later episodes
    assert np.array_equal(a["image"], b["image"])
    assert a["instruction"] == b["instruction"]


def test_the_reward_function_sees_answer_reference_and_outcome():
    mix = rewards.RewardMix(weights={"affordance": 1.0, "success": 1.0})
    env = gymnasium.make(ID, reward_fn=partial(rewards.score, mix=mix))
    env.reset(seed=4)
    *_, info = env.step(answer_as_expert(env.unwrapped.scene))
    assert set(info["reward_terms"]) == set(rewards.TERMS)
    env.reset(seed=4)
    _, reward, *_ = env.step(answer_as_expert(env.unwrapped.scene))
    assert reward > 0.9
    env.reset(seed=4)
    assert env.step("no plan")[1] == 0


def test_after_a_failed_turn_the_arm_is_home_and_the_next_turn_can_succeed():
    env = gymnasium.make(ID, max_turns=2)
    env.reset(seed=5)
    scene = env.unwrapped.scene
    reference = scene.reference
    still = Plan(box=reference.box, waypoints=reference.waypoints[:1] * 3)
    _, _, terminated, truncated, info = env.step(envs.format_answer(still))
    assert (terminated, truncated) == (False, False)
    assert info["outcome"].contact_force > 0  # it did touch the mug
    later = env.unwrapped.scene
    assert np.array_equal(later.data.qpos[:7], scene.data.qpos[:7])
    assert not later.data.qvel.any()
    _, reward, terminated, truncated, _ = env.step(answer_as_expert(later))
    assert (reward, terminated, truncated) == (1.0, True, False)


def test_between_turns_objects_fall_and_nothing_returns_to_the_start():
    env = gymnasium.make(ID, max_turns=2)
    env.reset(seed=6)
    scene = env.unwrapped.scene
    x1, y1, x2, y2 = scene.reference.box
    low = [(x, y - 0.1) for x, y in scene.reference.waypoints[:1] * 2]
    path = (scene.reference.waypoints[0], *low)  # lifts the mug, but not far enough
    *_, info = env.step(envs.format_answer(Plan(box=(x1, y1, x2, y2), waypoints=path)))
    assert info["failure_reason"] == "not_lifted"
    later = env.unwrapped.scene
    mug = scene.model.body(scene.goal.target).id
    assert not np.array_equal(later.data.xpos[mug], scene.data.xpos[mug])
    assert later.data.xpos[mug, 2] < scene.data.xpos[mug, 2] + 0.05
    env.step("nothing")
    assert env.unwrapped.scene is later


def test_the_picture_is_an_image_only_if_it_was_asked_for(env):
    env.reset(seed=7)
    assert ManipulationEnv("pick_mug").render() is None
    seeing = gymnasium.make(ID, render_mode="rgb_array")
    with pytest.raises(gymnasium.error.ResetNeeded):
        seeing.render()
    seeing.reset(seed=7)
    picture = seeing.render()
    assert picture.shape == (480, 640, 3) and picture.std() > 10
    seeing.close()


def test_a_users_scene_becomes_an_environment_when_it_is_registered(monkeypatch):
    monkeypatch.setattr("envs.registry._tasks", {})
    monkeypatch.setattr(gymnasium.envs.registration, "registry", {})
    monkeypatch.setattr(gymnasium, "registry", gymnasium.envs.registration.registry)
    envs.register_scene("lift_block")(LiftBlock)
    env = gymnasium.make("graspo/LiftBlock-v0")
    observation, _ = env.reset(seed=0)
    assert observation["instruction"] == "lift the red block"
    assert env.unwrapped.scene.reference is None
    assert not env.step("no plan")[4]["success"]


class LiftBlock:
    """A scene as a user writes one, without an expert."""

    skill = LIFT
    part_classes = ("block",)

    def build(self, spec, factors):
        body = objects.add_free_body(spec, "block", 0.5, 0.0, yaw=0.3)
        objects.add_block(body, (0.02, 0.02, 0.03), PALETTE["red"])
        return Goal(instruction="lift the red block", target="block", part="block")

    def judge(self, goal, run):
        return Outcome(success=False, reason="not_lifted")
