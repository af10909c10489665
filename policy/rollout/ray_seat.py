"""Processes of a Ray cluster as seats of a crew: on this machine, or on several.

Ray starts and watches the processes and carries bytes. What becomes of work whose
process is lost is the crew's affair, with Ray as without, so no actor restarts itself.

This file must not import torch: the processes load it.
"""

# Ray is an extra, which those who check the types need not have.
# pyright: reportMissingImports=false

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from policy.rollout.crew import Lost
from policy.rollout.seat import LIMIT_S, attempt

STORE_BYTES = 150 << 20  # of a Ray of our own: scenes in flight, no weights
PASSED_ON = ("MUJOCO_GL", "MUJOCO_EGL_DEVICE_ID", "HF_HUB_OFFLINE")


class Cluster:
    """The nodes of Ray; joins them, or starts Ray on this machine.

    Attributes:
        cores: Of all nodes.

    Args:
        address: `auto` or an address; None starts Ray here.
        limit_s: Seconds that a piece of work may take.

    Raises:
        ValueError: Ray is not installed, or nothing answers at the address.
    """

    def __init__(self, address: str | None = None, limit_s: float = LIMIT_S) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ValueError("rollout.engine=ray needs Ray: pip install 'graspo[ray]'")
        self._joined = _join(address)
        self._limit_s = limit_s
        self._seated: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.cores = sum(_list_nodes().values())

    def hire(self) -> RaySeat:
        """Starts a process on the node with the most cores free of ours.

        It asks Ray for no core: where a node has left, its seats sit down beside
        others instead of waiting for a core that nobody gives back.
        """
        with self._lock:
            nodes = _list_nodes()
            if not nodes:
                raise Lost("no node with a core is left", hung=False)
            node = min(nodes, key=lambda one: (self._seated[one] + 1) / nodes[one])
            self._seated[node] += 1
        return RaySeat(node, self._limit_s, self._stand_up)

    def leave(self) -> None:
        """Ends Ray, or the connection to it, if it began with this."""
        import ray

        if self._joined:
            ray.shutdown()

    def _stand_up(self, node: str) -> None:
        with self._lock:
            self._seated[node] -= 1


class RaySeat:
    """An actor; a seat of a `Crew`.

    Args:
        node: Id of its node; Ray ignores a mere wish where no core is asked for.
        limit_s: Seconds that a piece of work may take.
        on_leave: Told the node, once.
    """

    def __init__(
        self, node: str, limit_s: float, on_leave: Callable[[str], None]
    ) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._limit_s, self._node, self._on_leave = limit_s, node, on_leave
        self._gone = threading.Lock()
        self._actor: Any = (
            ray.remote(_Hands)
            .options(
                num_cpus=0,
                max_restarts=0,
                max_concurrency=1,
                runtime_env={"env_vars": _choose_environment()},
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            )
            .remote()
        )

    def do(self, work: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Returns what the work returns; see `Seat`."""
        import ray
        from ray import exceptions as lost

        asked = self._actor.attempt.remote(pickle.dumps((work, args)))
        try:
            succeeded, value = pickle.loads(ray.get(asked, timeout=self._limit_s))
        except lost.GetTimeoutError as error:
            why = f"no answer within {self._limit_s:g} s"
            raise Lost(why, hung=True) from error
        except lost.RayError as error:
            why = f"its process ended ({type(error).__name__})"
            raise Lost(why, hung=False) from error
        if not succeeded:
            raise value
        return value

    def leave(self) -> None:
        """Kills the process; the thread that waits for it is told."""
        import ray

        if self._gone.acquire(blocking=False):  # for good
            ray.kill(self._actor)
            self._on_leave(self._node)


class _Hands:
    """What an actor is; errors travel as they do between local processes."""

    def attempt(self, asked: bytes) -> bytes:
        try:
            work, args = pickle.loads(asked)
        except Exception as error:  # noqa: BLE001 such as a module of nobody here
            why = f"this node cannot read its work: {type(error).__name__}: {error}"
            return pickle.dumps((False, RuntimeError(why)))
        return attempt(work, args)


def _join(address: str | None) -> bool:
    """Connects to Ray; False where this process is connected already."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return False
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        ray.init(
            address="local",  # whatever RAY_ADDRESS says
            num_cpus=len(os.sched_getaffinity(0)),
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            **quiet,
        )
        return True
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"rollout.address={address}: no Ray there, or one whose token is not that "
            f"of this process (RAY_AUTH_MODE=token): {reason}"
        ) from error
    return True


def _choose_environment() -> dict[str, str]:
    """What an actor finds: the modules that this process finds, and its graphics."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    python = (sys.prefix, sys.base_prefix)  # each node has its own
    ours = [os.path.abspath(path) for path in sys.path if not path.startswith(python)]
    return {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(ours), **kept}


def _list_nodes() -> dict[str, float]:
    """Ids of the nodes that are there, each with its cores."""
    import ray

    found = {
        n["NodeID"]: n["Resources"].get("CPU", 0.0) for n in ray.nodes() if n["Alive"]
    }
    return {node: cores for node, cores in found.items() if cores > 0}
