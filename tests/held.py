"""What a process holds. Workers load this file, so it must not import torch."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

CONTEXTS = ("MjrContext", "GLContext")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a process holds.

    Attributes:
        memory_mib: Resident.
        handles: Open files, pipes and sockets.
        threads: All of them, of libraries too.
        contexts: Of MuJoCo's renderer and of OpenGL.
        shared: Pieces of shared memory.
    """

    memory_mib: float
    handles: int
    threads: int
    contexts: int
    shared: int


def look() -> tuple[int, Held]:
    """What this process holds, by its number; slow enough to reach every worker."""
    time.sleep(0.3)
    gc.collect()
    me = psutil.Process()
    contexts = {id(one) for one in _list() if type(one).__name__ in CONTEXTS}
    return os.getpid(), Held(
        memory_mib=round(me.memory_info().rss / 2**20, 1),
        handles=me.num_fds(),
        threads=me.num_threads(),
        contexts=len(contexts),
        shared=sum(one.path.startswith("/dev/shm") for one in me.memory_maps()),
    )


def _list() -> Iterator[object]:
    """Also what the collector does not follow, as long as what it follows holds it."""
    for one in gc.get_objects():
        yield one
        yield from gc.get_referents(one)
