"""The fast executor comes to the verdicts of the plain one."""

import numpy as np
import pytest

import envs
from envs.plain import compare_executors, simulate_plainly
from envs.records import ParseFailure


def test_the_expert_succeeds_without_any_shortcut_too() -> None:
    for name in ("pick_mug", "press_button", "insert_peg"):
        scene = envs.make_scene(name, "test", seed=1)
        assert scene.reference is not None
        answers = [scene.reference.to_plan(), ParseFailure(reason="empty")]
        good, unread = simulate_plainly(scene, answers)
        assert good.success, (name, good)
        assert not unread.success and unread.reason == "empty"


@pytest.mark.slow
def test_verdicts_agree_on_plans_from_sound_to_senseless() -> None:
    agreed = []
    for name in envs.scenes.__all__:
        _, same = compare_executors(envs.make_scene(name, "test", seed=2), seed=2)
        agreed += same
    assert np.mean(agreed) >= 0.95
