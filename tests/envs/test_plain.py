"""The fast executor comes to the verdicts of the plain one."""

import numpy as np
import pytest

import envs
from envs.execution.compare import compare_executors
from envs.execution.execute import prepare, record
from envs.execution.motion import Motion
from envs.execution.plain import simulate_plainly
from envs.records import ParseFailure, Plan


def test_the_expert_succeeds_without_any_shortcut_too() -> None:
    for name in ("pick_mug", "press_button", "insert_peg"):
        scene = envs.make_scene(name, "test", seed=1)
        assert scene.reference is not None
        answers = [scene.reference.to_plan(), ParseFailure(reason="empty")]
        good, unread = simulate_plainly(scene, answers)
        assert good.success, (name, good)
        assert not unread.success and unread.reason == "empty"


def test_a_hand_that_rams_a_cabinet_moves_as_in_finer_steps() -> None:
    scene = envs.make_scene("open_door", "test", seed=12)
    assert scene.reference is not None
    x1, y1, x2, y2 = scene.reference.box
    path = tuple((x, y - 0.04) for x, y, *_ in scene.reference.waypoints)
    plan = Plan(box=(x1, y1 - 0.04, x2, y2 - 0.04), waypoints=path)
    outcome, frames = record(scene, plan)
    # In steps of 4 ms a finger that presses with 357 N opens the door.
    assert outcome.contact_force > 300 and outcome.reason == "not_opened"
    assert [outcome] == envs.simulate(scene, [plan])
    assert not simulate_plainly(scene, [plan])[0].success
    [motion] = prepare(scene, [plan])
    assert isinstance(motion, Motion) and len(frames) == len(motion.control)


@pytest.mark.slow
def test_verdicts_agree_on_plans_from_sound_to_senseless() -> None:
    agreed = []
    for name in envs.scenes.__all__:
        _, same = compare_executors(envs.make_scene(name, "test", seed=2), seed=2)
        agreed += same
    assert np.mean(agreed) >= 0.95
