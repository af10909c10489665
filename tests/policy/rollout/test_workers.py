import subprocess
import sys
from concurrent.futures import Future

import pytest

from policy.rollout.crew import LostWork
from policy.rollout.workers import Workers

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
