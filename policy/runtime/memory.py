"""How much memory is held, free, and kept by a forward pass for its backward pass."""

from __future__ import annotations

import ctypes
import gc
import math
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor, nn

GIB = 2**30
_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def measure_peak_gib() -> float:
    """Returns the largest memory this process has held, GPU memory included."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    device = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return round((host + device) / GIB, 3)


def give_back() -> None:
    """Returns freed main memory to the system; glibc keeps what lies in pieces."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def measure_free_bytes() -> float:
    """Returns the main memory left to this process; infinity where nothing tells."""
    return min(_read_machine(), _read_group())


def _read_machine() -> float:
    if not _MEMINFO.is_file():
        return math.inf
    rows = (line.split() for line in _MEMINFO.read_text().splitlines())
    return next((1024.0 * int(r[1]) for r in rows if r[0] == "MemAvailable:"), math.inf)


def _read_group() -> float:
    """What the control group of a container leaves; files it may drop count as free."""
    names = ("memory.max", "memory.current", "memory.stat")
    files = [_GROUP / name for name in names]
    if not all(file.is_file() for file in files):
        return math.inf
    limit, used, stat = (file.read_text().split() for file in files)
    if limit == ["max"]:
        return math.inf
    droppable = int(stat[stat.index("inactive_file") + 1])
    return float(limit[0]) - int(used[0]) + droppable


@contextmanager
def count_saved_bytes(model: nn.Module) -> Iterator[list[int]]:
    """Yields a list that fills with the sizes of what is kept for the backward pass.

    Args:
        model: Its weights do not count.
    """
    known = {p.untyped_storage().data_ptr() for p in model.parameters()}
    sizes: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            known.add(storage.data_ptr())
            sizes.append(storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield sizes
