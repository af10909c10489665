"""Execution: experts succeed, others fail, and nothing depends on the batch."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

import envs
from envs.answer import format_answer, parse_answer
from envs.cameras.view import View
from envs.execution.execute import record
from envs.execution.motion import plan_motions
from envs.execution.physics import play
from envs.execution.unprojection import unproject
from envs.randomization.factors import DEMONSTRATION, scene_rng
from envs.records import Outcome, ParseFailure, Plan, Waypoints
from envs.sampling.reference import make_reference
from envs.sampling.sample import make_scene
from envs.scene import Scene
from envs.task import Goal


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Eight verified scenes."""
    return [make_scene("pick_mug", seed=seed) for seed in range(8)]


def expert(scene: Scene, goal: Goal | None = None) -> Plan | None:
    """The expert's plan for a goal, through text."""
    reference = make_reference(scene, goal or scene.goal)
    if reference is None:
        return None
    plan = Plan(box=reference.box, waypoints=reference.waypoints)
    return parse_answer(format_answer(plan))


def show_path(scene: Scene) -> np.ndarray:
    """The path behind the scene's reference."""
    rng = scene_rng(scene.name, scene.split, scene.seed, DEMONSTRATION)
    return scene.task.expert(scene.goal, scene.state, rng)


def test_every_kept_reference_succeeds_after_text_and_back(scenes):
    outcomes = [envs.simulate(scene, [expert(scene)])[0] for scene in scenes]
    assert [outcome.reason for outcome in outcomes] == [""] * len(scenes)
    assert all(outcome.grasped for outcome in outcomes)


def test_a_plan_that_stays_where_it_grasps_lifts_nothing(scenes):
    for scene in scenes:
        plan = expert(scene)
        still = Plan(box=plan.box, waypoints=plan.waypoints[:1] * 3)
        outcome = envs.simulate(scene, [still])[0]
        assert not outcome.success and outcome.progress < 0.5


def test_a_plan_for_another_mug_or_part_fails_for_that_reason(scenes):
    reasons = []
    for scene in scenes:
        of_mug = {"rim": "handle", "handle": "rim"}
        mug, _, part = scene.goal.part.partition("/")
        other_part = replace(scene.goal, part=f"{mug}/{of_mug[part]}")
        for goal in (*scene.others, other_part):
            plan = expert(scene, goal)
            if plan is not None:
                reasons.append(envs.simulate(scene, [plan])[0].reason)
    assert {"lifted_wrong_object", "not_by_part"} <= set(reasons) and "" not in reasons


def test_outcomes_do_not_depend_on_the_group_or_on_threads(scenes):
    scene = scenes[0]
    plans = [expert(scene).move(0.004 * i, 0.0) for i in range(5)]
    plans.append(Plan(box=plans[0].box, waypoints=((0.5, 0.5), (0.1, 0.1), (0.9, 0.4))))
    together = envs.simulate(scene, plans, threads=2)
    alone = [envs.simulate(scene, [plan], threads=1)[0] for plan in plans]
    assert together == alone
    assert envs.simulate_groups([(scene, plans)]) == [together]


def test_failures_keep_their_place_and_their_reason(scenes):
    scene = scenes[0]
    failure = ParseFailure(reason="not_json")
    outcomes = envs.simulate(scene, [failure, expert(scene), failure])
    assert [o.reason for o in outcomes] == ["not_json", "", "not_json"]
    assert envs.simulate(scene, []) == []


def test_a_box_on_the_bare_table_finds_nothing_to_grasp(scenes):
    plan = Plan(box=(0.01, 0.9, 0.05, 0.95), waypoints=((0.03, 0.92),) * 3)
    outcome = envs.simulate(scenes[0], [plan])[0]
    assert outcome == Outcome(success=False, reason="nothing_in_box")


def test_any_box_and_path_has_an_outcome(scenes):
    rng = np.random.default_rng(0)
    for scene in scenes[:4]:
        corners = np.sort(rng.uniform(size=(60, 2, 2)), axis=1).reshape(60, 4)
        paths = rng.uniform(size=(60, 3, 2))
        plans = [
            Plan(box=tuple(box), waypoints=tuple(map(tuple, path)))
            for box, path in zip(corners.tolist(), paths.tolist(), strict=True)
        ]
        outcomes = envs.simulate(scene, plans)
        assert sum(outcome.success for outcome in outcomes) <= 2


def test_an_unreachable_path_is_an_outcome_not_an_error(scenes):
    plan = expert(scenes[0])
    x, y = plan.waypoints[0]
    high = Plan(box=plan.box, waypoints=((x, y, 0.05), (x, y, 0.5), (x, 0.01, 1.0)))
    outcome = envs.simulate(scenes[0], [high])[0]
    assert outcome.reason in ("unreachable", "off_the_scene")


def test_a_path_with_heights_lifts_as_the_flat_one_does(scenes):
    for scene in scenes[:4]:
        path = show_path(scene)
        plan = expert(scene)
        tall = tuple((x, y, float(z)) for (x, y), z in zip(plan.waypoints, path[:, 2]))
        tall_plan = parse_answer(format_answer(Plan(box=plan.box, waypoints=tall)))
        assert envs.simulate(scene, [tall_plan])[0].success


def test_the_grasp_is_on_the_named_part_and_closes_across_it(scenes):
    for scene in scenes:
        skill, camera = scene.task.skill, scene.observation.camera
        view = View(scene.state, camera)
        [waypoints] = unproject(view, [expert(scene)], skill)
        assert isinstance(waypoints, Waypoints)
        place = show_path(scene)[0]
        assert np.linalg.norm(waypoints.position_world[0] - place) < 0.025
        mug = scene.data.body(scene.goal.target)
        across = mug.xmat.reshape(3, 3)[:2, 1]
        if scene.goal.part.endswith("rim"):
            across = (place - mug.xpos)[:2] / np.linalg.norm((place - mug.xpos)[:2])
        closing = np.array([np.cos(waypoints.yaw_rad), np.sin(waypoints.yaw_rad)])
        assert abs(across @ closing) > np.cos(np.deg2rad(30))


def test_recorded_frames_end_where_the_outcome_was_judged(scenes):
    scene = scenes[1]
    outcome, frames = record(scene, expert(scene))
    assert outcome == envs.simulate(scene, [expert(scene)])[0]
    assert len(frames) > 100 and frames.shape[1] == scene.model.nq


def test_a_simulation_that_diverges_is_reported_and_spares_the_others(scenes):
    scene = scenes[0]
    skill, camera = scene.task.skill, scene.observation.camera
    [waypoints] = unproject(View(scene.state, camera), [expert(scene)], skill)
    good, bad = plan_motions([waypoints, waypoints], skill, scene.state.robot)
    bad.control[50, 0] = np.inf
    bad.start[0] = np.nan
    alone = next(play(scene.state, [good]))
    first, second = play(scene.state, [good, bad])
    assert second.after is None
    np.testing.assert_array_equal(first.after.qpos, alone.after.qpos)


def test_the_snapshot_is_left_as_it_was(scenes):
    scene = scenes[0]
    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    before = np.empty(mujoco.mj_stateSize(scene.model, kind))
    after = before.copy()
    mujoco.mj_getState(scene.model, scene.data, before, kind)
    envs.simulate(scene, [expert(scene)])
    mujoco.mj_getState(scene.model, scene.data, after, kind)
    np.testing.assert_array_equal(before, after)
