"""A training whose simulators Ray keeps losing ends as one that nobody disturbed.

`make test-ray` runs a short form, `make faults` the whole one where Ray is installed.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from runs import JOB, execute, read_log

ray = pytest.importorskip("ray", reason="no Ray: make test-ray installs it")
WEIGHTS = "final/model.safetensors"
SMALL: Any = {"num_cpus": 1, "object_store_memory": 150 << 20}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head without cores for simulators, and two nodes of one core each."""
    from ray.cluster_utils import Cluster as Nodes

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Nodes(
        initialize_head=True,
        connect=True,
        head_node_args={**SMALL, "num_cpus": 0, "include_dashboard": False},
    )
    made.others = [made.add_node(**SMALL) for _ in range(2)]
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


@dataclass(eq=False)
class Saboteur:
    """Kills simulators of the cluster at random, and nodes, while a run goes on.

    Attributes:
        nodes: The cluster.
        actors: How many processes to kill.
        times: How many nodes to take away, each replaced by another.
        every_s: Seconds between two deeds, at most.
        done: What was done.
    """

    nodes: Any
    actors: int
    times: int
    every_s: float
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Saboteur:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        rng = random.Random(0)
        deeds = ["actor"] * self.actors
        for i in range(self.times):
            deeds.insert((i + 1) * self.actors // (self.times + 1), "node")
        for deed in deeds:
            while not self._over.wait(rng.uniform(0.2, 1) * self.every_s):
                if self._kill_actor(rng) if deed == "actor" else self._replace_node():
                    self.done.append(deed)
                    break

    def _kill_actor(self, rng: random.Random) -> bool:
        found = list_simulators()
        if found:
            with suppress(psutil.Error):  # it has just ended
                rng.choice(found).send_signal(signal.SIGKILL)
                return True
        return False

    def _replace_node(self) -> bool:
        lost = self.nodes.others.pop(0)
        self.nodes.remove_node(lost, allow_graceful=False)
        self.nodes.others.append(self.nodes.add_node(**SMALL))
        return True


def list_simulators() -> list[psutil.Process]:
    """Processes of actors, which Ray names after their class."""
    found = []
    for one in psutil.process_iter(["cmdline", "ppid"]):
        if " ".join(one.info["cmdline"] or []).startswith("ray::_Hands"):
            found.append(one)
    return found


def run(path: Path, steps: int, engine: str) -> Path:
    rollout = replace(JOB.rollout, engine=engine, workers=0 if engine == "local" else 2)
    execute(path, replace(JOB, rollout=rollout, steps=steps, checkpoint_every=steps))
    return path


def compare(nodes: Any, folder: Path, steps: int, saboteur: Saboteur) -> None:
    calm = run(folder / "calm", steps, "local")
    with saboteur:
        disturbed = run(folder / "disturbed", steps, "ray")
    assert saboteur.done.count("actor") == saboteur.actors, saboteur.done
    assert saboteur.done.count("node") == saboteur.times, saboteur.done
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        assert read_log(disturbed, name) == read_log(calm, name)
    assert (disturbed / WEIGHTS).read_bytes() == (calm / WEIGHTS).read_bytes()
    assert {row["put_aside"] for row in read_log(disturbed)} == {0}


@pytest.mark.ray
def test_kills_of_actors_and_of_a_node_change_no_metric(nodes, tmp_path: Path) -> None:
    compare(nodes, tmp_path, 6, Saboteur(nodes, actors=2, times=1, every_s=1.0))


@pytest.mark.faults
def test_twenty_kills_of_actors_and_two_of_nodes(nodes, tmp_path: Path) -> None:
    start = time.monotonic()
    compare(nodes, tmp_path, 40, Saboteur(nodes, actors=20, times=2, every_s=2.0))
    print(f"20 actors, 2 nodes in {time.monotonic() - start:.0f} s")  # noqa: T201
