"""Every robot through the same scenes and executor."""

from __future__ import annotations

import json
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs
from envs.execution.execute import prepare
from envs.execution.motion import Motion
from envs.registry import name_env
from envs.robot import DEFAULT, get_robot, list_robots, register_robot, registry
from envs.robot.solver import Solver
from envs.robot.ur5e.arm import BUILD, HOME
from envs.sampling.measurements import measure_expert, measure_honesty, measure_recovery
from envs.testing import check_robot, check_scene
from envs.world import TIME_STEP
from policy.export.lerobot.features import list_columns
from policy.rollout.scene_source import SceneSource

BUILT_IN = sorted(envs.scenes.__all__)
OTHERS = [name for name in list_robots() if name != DEFAULT]
each_scene = pytest.mark.parametrize("name", BUILT_IN)
each_other = pytest.mark.parametrize("robot", OTHERS)
SPEED_RAD_S = np.pi  # of all joints of the UR5e, published


@pytest.mark.parametrize("robot", list_robots())
def test_the_robot_keeps_the_contract(robot: str) -> None:
    check_robot(robot)


@each_other
@each_scene
def test_the_scene_keeps_the_contract_with_it(name: str, robot: str) -> None:
    check_scene(name, n=1, robot=robot)


@each_other
def test_it_changes_nothing_that_is_asked_or_shown_but_itself(robot: str) -> None:
    usual = envs.make_scene("pick_mug", seed=4, draw=0)
    other = envs.make_scene("pick_mug", seed=4, draw=0, robot=robot)
    assert other.goal == usual.goal
    sizes = usual.state.robot.size, other.state.robot.size
    objects = [s.data.qpos[n:] for s, n in zip((usual, other), sizes)]
    np.testing.assert_allclose(*objects, atol=1e-6)
    assert usual.reference is not None and other.reference is not None
    np.testing.assert_allclose(usual.reference.box, other.reference.box, atol=0.02)


@each_scene
def test_the_ur5e_is_never_sent_faster_than_its_joints_turn(name: str) -> None:
    scene = envs.make_scene(name, "ood", 1, robot="ur5e")
    assert scene.reference is not None
    [motion] = prepare(scene, [scene.reference.to_plan()])
    assert isinstance(motion, Motion)
    speed = np.abs(np.diff(motion.control[:, :-1], axis=0)).max() / TIME_STEP
    assert speed < SPEED_RAD_S


@each_other
def test_an_environment_has_the_arm_that_is_asked_for(robot: str) -> None:
    name = name_env("press_button")
    env = gymnasium.make(name, robot=robot, extras=["proprioception"])
    check_env(env.unwrapped, skip_render_check=True)
    observation, _ = env.reset(seed=0)
    arm = get_robot(robot)
    assert observation["proprioception"].shape == (arm.size,)
    assert np.allclose(observation["proprioception"][: len(arm.joints)], arm.home)
    reference = env.unwrapped.scene.reference
    _, reward, *_ = env.step(envs.format_answer(reference.to_plan()))
    assert reward == 1


def test_rows_without_a_robot_are_the_usual_ones() -> None:
    usual = envs.SceneConfig(name="pick_mug", seed=3)
    assert "robot" not in usual.to_dict() and usual.robot == DEFAULT
    other = replace(usual, robot="ur5e")
    row = json.loads(json.dumps(other.to_dict()))
    assert row["robot"] == "ur5e" and envs.SceneConfig(**row) == other


@pytest.mark.parametrize(
    "make",
    [
        lambda: envs.SceneConfig(name="pick_mug", robot="xyz"),
        lambda: gymnasium.make(name_env("pick_mug"), robot="xyz"),
        lambda: SceneSource(names=("pick_mug",), robot="xyz"),
    ],
)
def test_an_unknown_robot_is_refused_with_the_valid_ones(make) -> None:
    with pytest.raises(ValueError, match=r"^unknown robot 'xyz'; valid: panda, ur5e"):
        make()


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="'ur5e' is already registered"):
        register_robot(BUILD.to_robot("ur5e", HOME, get_robot("ur5e").solve))


def test_a_scene_that_a_robot_cannot_do_is_said_at_once(monkeypatch) -> None:
    monkeypatch.setattr(registry, "_robots", dict(registry._robots))
    short = [replace(j, dh=(j.dh[0] / 2, j.dh[1] / 2, j.dh[2])) for j in BUILD.joints]
    build = replace(BUILD, joints=short)
    solver = Solver(build.to_chain(), HOME)
    register_robot(build.to_robot("short", HOME, solver.solve))
    with pytest.raises(envs.contract.NoUsableSample) as stop:
        envs.make_scene("press_button", robot="short")
    assert str(stop.value) == (
        "scene 'press_button', split 'train', seed 0, robot 'short': this robot cannot "
        "do it: where the expert goes is out of its reach in each of 5 draws"
    )


def test_a_data_set_names_the_joints_of_its_robot() -> None:
    names = list_columns("ur5e")["action"]["names"]
    assert names == [*(f"joint{i}" for i in range(1, 7)), "gripper"]


@pytest.mark.slow
@each_other
@pytest.mark.parametrize("split", ["train", "ood"])
@each_scene
def test_the_bars_of_the_library_hold_with_it(name: str, split: str, robot: str):
    assert measure_expert(name, split, 200, robot=robot)[0] >= 0.95
    assert measure_expert(name, split, 200, "3d", robot)[0] >= 0.95
    assert measure_recovery(name, 50, robot)[0] >= 0.8
    assert min(measure_honesty(name, 50, robot).values()) >= 0.8
