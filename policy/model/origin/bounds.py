"""Bounds for work that a stranger's file describes: a template, a configuration.

Such a file may ask for a loop without an end, a million layers or an image of a
terabyte. Steps of Python are counted, which costs no time that one would notice, and
memory is given up to a limit; what passes either is an error and nothing hangs.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

STEPS = 10_000_000
"""Lines of Python. The largest stock model is built in two million, a template read and
rendered in half a million; these take some ten seconds."""
MEMORY = 2 * 2**30
"""Bytes beyond what is held; no template, processor or empty model takes one."""
_STATUS = Path("/proc/self/status")


class ExcessError(ValueError):
    """A file asks for more than any honest one would."""


@contextmanager
def bounded(what: str, *, memory: bool = True) -> Iterator[None]:
    """Ends what goes on inside when it takes too long, too much or too deep.

    Args:
        what: Names it, and its file, in the error.
        memory: Whether to bound memory, too: of all threads, so not while others work.

    Raises:
        ExcessError: A bound was passed.
    """
    usual, limit = sys.gettrace(), _lower_limit() if memory else None
    sys.settrace(_count(what))
    try:
        yield
    except RecursionError as error:
        raise ExcessError(f"{what} calls itself without an end") from error
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        raise ExcessError(f"{what} takes more than {MEMORY >> 20} MiB") from error
    finally:
        sys.settrace(usual)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_DATA, limit)


def _count(what: str) -> Any:
    """A trace function that raises when a line too many is run."""
    left = STEPS

    def trace(frame: FrameType, event: str, value: object) -> Any:
        nonlocal left
        left -= 1
        if left < 0 and not _is_leaving(frame):
            raise ExcessError(f"{what} does not come to an end")
        return trace

    return trace


def _is_leaving(frame: FrameType | None) -> bool:
    """Whether a `with` block is being left, which puts back what others rely on."""
    while frame and frame.f_code.co_name not in ("__enter__", "__exit__"):
        frame = frame.f_back
    return frame is not None


def _lower_limit() -> tuple[int, int] | None:
    """Bounds what this process may hold; returns the limits to put back, if any."""
    if not _STATUS.is_file():
        return None  # macOS, which does not keep to such limits
    rows = (line.split() for line in _STATUS.read_text().splitlines())
    held = next(1024 * int(row[1]) for row in rows if row[0] == "VmData:")
    soft, hard = usual = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [b for b in (soft, hard) if b != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([held + MEMORY, *bounds]), hard))
    return usual
