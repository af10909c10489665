"""What agents without words need: arrays, many processes, a reward that leads them."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from functools import partial
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from commands import ROOT
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv

import envs
import rewards
from envs.cameras.gl import NoGL
from envs.gym.registration import make_vec
from envs.gym.wrappers import VOCABULARY, number_words
from envs.records import Outcome, ParseFailure, Plan

ID = "graspo/PressButton-v0"


@pytest.fixture(scope="module")
def env():
    """One environment for all tests that reset it."""
    env = gymnasium.make(ID)
    yield env
    env.close()


def to_array(scene: envs.Scene) -> np.ndarray:
    """The expert's answer as an action."""
    reference = scene.reference
    numbers = np.concatenate([reference.box, np.ravel(reference.waypoints)])
    return (2 * numbers - 1).astype(np.float32)


def test_an_array_is_a_plan_with_its_corners_in_order(env):
    agent = envs.ArrayAction(env, count=3)
    image, _ = agent.reset(seed=8)
    assert image in agent.observation_space and image.shape == (224, 224, 3)
    scene, action = env.unwrapped.scene, to_array(env.unwrapped.scene)
    assert action in agent.action_space
    action[[0, 2]] = action[[2, 0]]
    plan = envs.parse_answer(agent.action(action))
    assert np.allclose(plan.box, scene.reference.box, atol=1e-3)
    assert agent.step(action)[1] == 1.0


def test_arrays_out_of_range_are_clipped_and_broken_ones_refused(env):
    agent = envs.ArrayAction(env, count=10)
    plan = envs.parse_answer(agent.action(np.array([-5.0, 5.0] * 12)))
    assert isinstance(plan, ParseFailure) and plan.reason == "empty_box"
    plan = envs.parse_answer(agent.action(np.array([-5.0, -5, 5, 5] * 6)))
    assert plan.box == (0, 0, 1, 1) and plan.waypoints[:2] == ((0, 0), (1, 1))
    with pytest.raises(ValueError, match="NaN"):
        agent.action(np.full(24, np.nan))
    with pytest.raises(ValueError, match=r"\(24,\)"):
        agent.action(np.zeros(3))
    with pytest.raises(ValueError, match="count=2"):
        envs.ArrayAction(env, count=2)
    with pytest.raises(ValueError, match="words=-1"):
        envs.ArrayAction(env, words=-1)


def test_an_instruction_is_numbers_of_its_words(env):
    agent = envs.ArrayAction(env, words=16)
    observation, _ = agent.reset(seed=8)
    assert observation in agent.observation_space
    kinds = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete)
    assert all(isinstance(space, kinds) for space in agent.observation_space.values())
    words = env.unwrapped.scene.instruction.split()
    assert (observation["instruction"] > 0).sum() == len(words)
    one, other = number_words("Lift the RED can", 4), number_words("the red", 3)
    assert (
        list(one[1:3]) == list(other[:2]) and other[2] == 0 and one.max() < VOCABULARY
    )


def test_what_else_is_observed_stays():
    wide = gymnasium.make(ID, extras=["depth"])
    agent = envs.ArrayAction(wide)
    observation, _ = agent.reset(seed=0)
    assert observation.keys() == {"image", "depth"}
    assert observation in agent.observation_space


def test_an_agent_that_only_sees_the_target_can_find_the_answer():
    wide = gymnasium.make(ID, extras=["target"], reward_fn=rewards.score_shaped)
    agent = envs.ArrayAction(wide)
    rewarded = []
    for seed in range(5):
        observation, _ = agent.reset(seed=seed)
        rows, columns = np.nonzero(observation["target"])
        corners = [columns.min(), rows.min(), columns.max(), rows.max()]
        middle = [columns.mean(), rows.mean()]
        down = np.array([0, 0, 0, 2, 0, 4])  # pixels along the path
        action = np.concatenate([corners, np.tile(middle, 3) + down]) / 112 - 1
        rewarded.append([agent.step(action)[1]])
        agent.reset(seed=seed)
        rewarded[-1].append(agent.step(np.zeros(10))[1])
    seeing, blind = np.mean(rewarded, axis=0)
    assert seeing > 0.9 and blind < 0.5


def test_a_wrapped_environment_is_made_again_from_its_specification(env):
    agent = envs.ArrayAction(env, count=4, words=5)
    again = gymnasium.make(pickle.loads(pickle.dumps(agent.spec)))
    assert again.action_space == agent.action_space
    assert again.observation_space == agent.observation_space


def test_processes_of_ours_return_true_instructions_in_every_step(env):
    vector = gymnasium.make_vec(ID, num_envs=2)
    try:
        observation, _ = vector.reset(seed=[10, 11])
        expected = [env.reset(seed=seed)[0] for seed in (10, 11)]
        assert list(observation["instruction"]) == [e["instruction"] for e in expected]
        for image, single in zip(observation["image"], expected, strict=True):
            assert np.array_equal(image, single["image"])
        following, _, _, truncated, info = vector.step(("", "no plan"))
        assert truncated.all()  # and the next episode has begun in the same step
        assert list(info["final_info"]["failure_reason"]) == ["empty", "no_answer"]
        for i, seed in enumerate((10, 11)):
            env.reset(seed=seed)
            assert following["instruction"][i] == env.reset()[0]["instruction"]
        assert vector.step(("", ""))[3].all()
    finally:
        vector.close()
    with pytest.raises(ValueError, match="press_button"):
        make_vec("press_buton", 2)


def test_processes_wrap_their_environments_as_they_are_told():
    wrappers = [partial(envs.ArrayAction, words=8)]
    vector = envs.make_vec("press_button", 1, wrappers=wrappers, verify=False)
    try:
        observation, _ = vector.reset(seed=3)
        assert observation["instruction"].shape == (1, 8)
        assert vector.step(vector.action_space.sample())[3].all()
    finally:
        vector.close()


def reset_in_async(**how) -> tuple[str, ...]:
    """The first instructions of Gymnasium's own processes."""
    vector = gymnasium.make_vec(ID, num_envs=2, vectorization_mode="async", **how)
    assert isinstance(vector, AsyncVectorEnv)
    try:
        return tuple(vector.reset(seed=[10, 11])[0]["instruction"])
    finally:
        vector.close(terminate=True)


FRESH = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests" / "envs")!r})
import test_array_agents
if __name__ == "__main__":
    print(test_array_agents.reset_in_async())
"""


def test_gymnasiums_own_processes_return_true_instructions_too(env):
    done = subprocess.run(
        [sys.executable, "-c", FRESH],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": ""},
        capture_output=True,
        text=True,
    )
    asked = tuple(env.reset(seed=seed)[0]["instruction"] for seed in (10, 11))
    assert done.stdout.strip() == str(asked), done.stderr


@pytest.mark.filterwarnings("ignore:.*ERROR")
def test_a_copy_of_a_process_that_has_drawn_says_so_instead_of_waiting(env):
    env.reset(seed=0)
    with pytest.raises(NoGL, match=r"forked from one .*get_context\('spawn'\)"):
        reset_in_async(vector_kwargs={"context": "fork"})
    with (
        multiprocessing.get_context("fork").Pool(1) as pool,
        pytest.raises(NoGL, match="forked"),
    ):
        pool.apply_async(envs.make_scene, ("press_button",)).get(timeout=60)


def test_the_shaped_reward_rises_all_the_way_and_success_stays_above(env):
    env.reset(seed=4)
    reference = env.unwrapped.scene.reference
    expert, failed = reference.to_plan(), Outcome(success=False, reason="missed")
    totals = [
        rewards.score_shaped(expert.move(shift, 0.0), reference, failed).total
        for shift in (-0.4, -0.3, -0.2, -0.1, -0.05, 0.0)
    ]
    assert all(b > 1.1 * a for a, b in pairwise(totals))
    assert totals[0] > 0.05 and totals[-1] == pytest.approx(0.5, abs=1e-3)
    won = Outcome(success=True, reason="")
    far = Plan(box=(0.0, 0.0, 0.1, 0.1), waypoints=((0.0, 0.0),) * 3)
    assert rewards.score_shaped(far, reference, won).total > 0.5
    unread = ParseFailure(reason="empty")
    assert rewards.score_shaped(unread, reference, None).total == 0
    with pytest.raises(ValueError, match="has no expert"):
        rewards.score_shaped(expert, None, failed)
