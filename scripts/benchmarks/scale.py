"""Simulation by processes of this machine, by Ray's, and by a second node.

Ways that are compared take turns at the same work, so that whatever else the machine
does hits all of them.
"""

# Ray is an extra, which those who check the types need not have.
# pyright: reportMissingImports=false

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

from envs.execution.compare import make_plans
from envs.records import Outcome, Plan
from envs.scene import Scene
from policy.rollout.ray_seat import STORE_BYTES, Cluster
from policy.rollout.workers import Workers

from .figures import Figures, divide, summarise
from .stopwatch import now
from .workload import Workload

COUNTS = (1, 2, 4)  # workers
Groups = Sequence[tuple[Scene, Sequence[Plan]]]
Outcomes = Sequence[Sequence[Outcome | None]]
Ways = Mapping[str, Callable[[], Workers]]
Rates = dict[str, list[float]]
"""Name of a way to the answers a second that it executed, round by round."""


def measure_scale(work: Workload) -> Figures:
    """Returns answers executed a second, and what Ray and a second node add.

    `ray_over_local` compares two workers each; `second_node_gain` is at most 2.

    Raises:
        RuntimeError: Two ways came to different outcomes.
    """
    ray, rounds, groups = find_spec("ray") is not None, work.size.rounds, _prepare(work)
    figures: Figures = {}
    for count in COUNTS:
        ways: dict[str, Callable[[], Workers]] = {"local": partial(Workers, count)}
        if ray:
            ways["ray"] = partial(_join, count)
        rates = _take_turns(ways, groups, rounds)
        figures |= {f"scale.{n}_{count}": summarise(r) for n, r in rates.items()}
        if ray:
            ratio = divide(rates["ray"], rates["local"])
            figures[f"scale.ray_over_local_{count}"] = ratio
    if not ray:
        return figures
    two = {"ray_over_local": figures["scale.ray_over_local_2"]}
    return figures | two | _measure_nodes(groups, rounds)


def _prepare(work: Workload) -> Groups:
    """Scenes, each with eight plans from sound to senseless."""
    count = 4 * work.size.prompts  # so many that waiting for the last weighs little
    scenes = next(work.workers.make_scenes(work.source, [range(count)]))
    return [(scene, make_plans(scene, seed)) for seed, scene in enumerate(scenes)]


def _measure_nodes(groups: Groups, rounds: int) -> Figures:
    """Two nodes of one worker each beside one of them."""
    with _start_two_nodes():
        ways = {"one_node": partial(_join, 1), "two_nodes": partial(_join, 2)}
        rates = _take_turns(ways, groups, rounds)
    figures = {f"scale.{name}": summarise(rate) for name, rate in rates.items()}
    ratio = divide(rates["two_nodes"], rates["one_node"])
    return figures | {"second_node_gain": ratio}


def _take_turns(ways: Ways, groups: Groups, rounds: int) -> Rates:
    """Lets each way execute the same, in turn; the first round warms up."""
    rates: Rates = {name: [] for name in ways}
    answers, expected = sum(len(plans) for _, plans in groups), None
    with ExitStack() as stack:
        opened = {n: stack.enter_context(start()) for n, start in ways.items()}
        for _ in range(rounds + 1):
            for name, workers in opened.items():
                start = now()
                outcomes = workers.simulate(groups)
                rates[name].append(answers / (now() - start))
                expected = _compare(name, outcomes, expected)
    return {name: found[1:] for name, found in rates.items()}


def _compare(name: str, outcomes: Outcomes, expected: Outcomes | None) -> Outcomes:
    if expected is not None and repr(outcomes) != repr(expected):
        raise RuntimeError(f"outcomes of {name} differ from those before")
    return outcomes


def _join(count: int) -> Workers:
    """Workers of the Ray that this process has joined, or of one on this machine."""
    return Workers(count, cluster=Cluster())


@contextmanager
def _start_two_nodes() -> Iterator[None]:
    """Joins a cluster of two nodes on this machine, each held on a core of its own."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster as Nodes

    small: Any = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    cores = os.sched_getaffinity(0)
    first, *others = sorted(cores)
    try:  # a process is held where the one that starts it is
        os.sched_setaffinity(0, {first})
        nodes = Nodes(
            initialize_head=True,
            head_node_args={**small, "include_dashboard": False},
        )
        os.sched_setaffinity(0, {*others[:1]} or {first})
        nodes.add_node(**small)
    finally:
        os.sched_setaffinity(0, cores)
    quiet: Any = {"log_to_driver": False, "logging_level": "ERROR"}
    ray.init(address=nodes.address, **quiet)
    try:
        nodes.wait_for_nodes()
        yield
    finally:
        ray.shutdown()
        nodes.shutdown()
