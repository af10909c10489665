"""Turns after a failure: success is measured from the start of the episode."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.records import Plan
from envs.sampling.reference import make_reference
from envs.sampling.turns import follow_up
from envs.scene import Scene
from envs.task import Goal


def answer(scene: Scene, goal: Goal) -> Plan:
    reference = make_reference(scene, goal)
    assert reference is not None
    return reference.to_plan()


def judge(scene: Scene, plan: Plan) -> tuple[bool, str]:
    [outcome] = envs.simulate(scene, [plan])
    return outcome.success, outcome.reason


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_block_on_the_wrong_block_can_be_moved_to_the_right_one(seed: int) -> None:
    scene = envs.make_scene("stack_blocks", "test", seed)
    [wrong, *_] = [g for g in scene.others if g.target == scene.goal.target] or [None]
    if wrong is None:
        pytest.skip("two blocks: there is no other place")
    spoiled = answer(scene, wrong)
    assert judge(scene, spoiled) == (False, "not_on_top")
    left = follow_up(scene, spoiled)
    assert left.first is scene.first
    assert judge(left, answer(left, left.goal)) == (True, "")


def test_what_the_first_answer_did_wrong_is_not_forgiven_later() -> None:
    for name, reason in (
        ("press_button", "pressed_wrong_button"),
        ("open_drawer", "opened_wrong_drawer"),
        ("close_drawer", "moved_wrong_drawer"),
    ):
        scene = envs.make_scene(name, "test", 1)
        spoiled = answer(scene, scene.others[0])
        assert judge(scene, spoiled) == (False, reason)
        left = follow_up(scene, spoiled)
        assert judge(left, answer(left, left.goal)) == (False, reason)


def test_what_is_half_done_is_finished_by_the_other_half() -> None:
    scene = envs.make_scene("open_drawer", "test", 1)
    whole = answer(scene, scene.goal)
    path = np.array(whole.waypoints)
    half = [tuple(p) for p in path[0] + (path - path[0]) * 0.5]
    first = Plan(box=whole.box, waypoints=tuple(half))
    assert judge(scene, first) == (False, "not_opened")
    left = follow_up(scene, first)
    again = answer(left, left.goal)
    path = np.array(again.waypoints)
    half = [tuple(p) for p in path[0] + (path - path[0]) * 0.5]
    assert judge(left, Plan(box=again.box, waypoints=tuple(half))) == (True, "")
