import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import replace

import pytest

import envs
from envs.predicates import Execution
from envs.records import Outcome, ParseFailure
from envs.scenes.press_button import PressButton
from envs.task import Goal
from policy.rollout.crew import LostWork
from policy.rollout.workers import ABANDONED, Workers

IN_JOBS = """
from joblib import Parallel, delayed

def count(seed):
    from policy.rollout.scene_source import SceneSource
    from policy.rollout.workers import Workers

    source = SceneSource(names=("press_button",), split="test")
    with Workers(1) as workers:
        return [s.seed for [s] in workers.make_scenes(source, [[seed]])]

print(Parallel(n_jobs=2)(delayed(count)(seed) for seed in (3, 4)))
"""


def test_runs_side_by_side_have_workers_of_their_own(tmp_path):
    """Joblib's processes, as Hydra's launcher takes them, start processes too."""
    pytest.importorskip("joblib")
    done = subprocess.run(
        [sys.executable, "-c", IN_JOBS], capture_output=True, text=True, timeout=240
    )
    assert done.stdout == "[[3], [4]]\n", done.stderr


def test_what_nobody_could_finish_ends_no_stream(monkeypatch):
    with Workers(0) as workers:
        usual = workers.start

        def start(work, item):
            if item != 1:
                return usual(work, item)
            lost = Future()
            lost.set_exception(LostWork("no answer within 120 s"))
            return lost

        monkeypatch.setattr(workers, "start", start)
        assert [*workers.stream(str, range(3))] == ["0", "no answer within 120 s", "2"]


class Deadly(PressButton):
    """Kills the process in which an answer fails."""

    def judge(self, goal: Goal, run: Execution) -> Outcome:
        outcome = super().judge(goal, run)
        if not outcome.success:
            os.kill(os.getpid(), signal.SIGKILL)
        return outcome


def test_plans_that_nobody_can_finish_fail_alone_until_they_are_too_many():
    scene = envs.make_scene("press_button", "test", 0)
    good = scene.reference.to_plan()
    bad, worse, late = good.move(0.1, 0), good.move(0.12, 0), good.move(0.001, 0)
    failure = ParseFailure(reason="no_answer")
    again = replace(good, thought="again")
    with Workers(1) as workers:
        [outcomes] = workers.simulate(
            [(replace(scene, task=Deadly()), [good, bad, worse, late, again, failure])]
        )
    done, refused = outcomes[0], Outcome(success=False, reason="no_answer")
    assert done.success
    assert outcomes == [done, ABANDONED, ABANDONED, ABANDONED, done, refused]
    [aside] = workers.aside
    assert (aside.what, [*aside.answers]) == ("execute", [bad, worse, late])
    assert "its process ended (-9)" in str(aside)
