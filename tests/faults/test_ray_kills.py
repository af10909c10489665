"""A training whose simulators Ray keeps losing ends as one that nobody disturbed.

`make test-ray` runs a short form, `make faults` the whole one where Ray is installed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from commands import ROOT
from runs import count_steps, read_log

ray = pytest.importorskip("ray", reason="no Ray: make test-ray installs it")
RUN = (
    *("env=press_button", "n=2", "videos=0", "quiet=true", "algo.bf16=false"),
    *("rollout.prompts=2", "rollout.num_generations=2"),
)
WEIGHTS = "final/model.safetensors"
SMALL: Any = {"num_cpus": 1, "object_store_memory": 150 << 20}
Deeds = dict[int, str]
"""Step to whom to kill after it: "actor", or "node", which another replaces."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head without cores for simulators, and two nodes of one core each."""
    from ray.cluster_utils import Cluster as Nodes

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {**SMALL, "num_cpus": 0, "include_dashboard": False}
    made = Nodes(initialize_head=True, head_node_args=head)
    made.others = [made.add_node(**SMALL) for _ in range(2)]
    yield made
    made.shutdown()


def start(path: Path, steps: int, *more: str) -> subprocess.Popen[bytes]:
    script = str(ROOT / "scripts" / "train.py")
    return subprocess.Popen(
        [sys.executable, script, *RUN, f"run_dir={path}", f"steps={steps}", *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()


def disturb(process: subprocess.Popen[bytes], path: Path, nodes: Any, deeds: Deeds):
    """Does each deed once its step is done; returns those that were done."""
    rng, due, done = random.Random(0), sorted(deeds.items()), []
    while due and process.poll() is None:
        time.sleep(0.02)
        if count_steps(path) < due[0][0]:
            continue
        if due[0][1] == "node":
            replace_node(nodes)
        elif not kill_actor(rng):
            continue
        done.append(due.pop(0)[1])
    return done


def kill_actor(rng: random.Random) -> bool:
    """Kills one of the simulators of this cluster; False while there is none."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            found += [one] if "ray::_Hands" in " ".join(one.cmdline()) else []
    with suppress(psutil.Error):
        rng.choice(found).send_signal(signal.SIGKILL) if found else None
        return bool(found)
    return False


def replace_node(nodes: Any) -> None:
    nodes.remove_node(nodes.others.pop(0), allow_graceful=False)
    for _ in range(5):  # on a busy machine Ray may give a node up that starts slowly
        with suppress(Exception):
            nodes.others.append(nodes.add_node(**SMALL))
            return


def compare(nodes: Any, folder: Path, steps: int, deeds: Deeds) -> None:
    """Takes the same steps on processes of this machine, and on the cluster."""
    calm, disturbed = folder / "calm", folder / "disturbed"
    finish(start(calm, steps, "rollout.workers=2"))
    ray_there = ("rollout.engine=ray", f"rollout.address={nodes.address}")
    process = start(disturbed, steps, *ray_there)
    done = disturb(process, disturbed, nodes, deeds)
    finish(process)
    assert done == [deed for _, deed in sorted(deeds.items())]
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        assert read_log(disturbed, name) == read_log(calm, name)
    assert (disturbed / WEIGHTS).read_bytes() == (calm / WEIGHTS).read_bytes()
    assert {row["put_aside"] for row in read_log(disturbed)} == {0}


@pytest.mark.ray
def test_kills_of_actors_and_of_a_node_change_no_metric(nodes, tmp_path: Path) -> None:
    compare(nodes, tmp_path, 6, {1: "actor", 2: "node", 4: "actor"})


@pytest.mark.faults
def test_twenty_kills_of_actors_and_two_of_nodes(nodes, tmp_path: Path) -> None:
    deeds = {2 * step: "actor" for step in range(1, 21)} | {11: "node", 25: "node"}
    compare(nodes, tmp_path, 44, deeds)
    print("on Ray: 20 kills of actors, 2 of nodes")  # noqa: T201
