"""Which kinds of scenes a step asks for: more of those whose outcome is open.

A group whose answers all succeed, or all fail, teaches nothing by its outcome. Of
thirteen kinds a policy has soon mastered half, and what it still learns from comes too
seldom. A kind's share grows with p (1 - p), the variance of its success.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MEMORY = 0.8  # share of the running mean of success that a step keeps
SLOTS = 100  # a source repeats its names as often as they are asked for


def allot(
    names: Sequence[str], rows: Sequence[Mapping[str, Any]], focus: float
) -> tuple[str, ...]:
    """Returns the names of scenes, each as often as its share asks.

    Args:
        names: Registered scenes.
        rows: Metrics of the steps so far; `success/<scene>` is read.
        focus: 0..1, the part of a step that goes where outcomes are open; the rest is
            spread evenly, so that nothing is forgotten and every success is known.
    """
    if not focus or len(names) == 1:
        return tuple(names)
    rate = {name: _average(rows, f"success/{name}") for name in names}
    doubt = {name: p * (1 - p) + 1e-3 for name, p in rate.items()}
    whole = sum(doubt.values())
    shares = {n: (1 - focus) / len(names) + focus * doubt[n] / whole for n in names}
    return tuple(n for n in names for _ in range(max(1, round(SLOTS * shares[n]))))


def _average(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """The running mean of a figure; a half, which is most in doubt, before any."""
    mean = 0.5
    for value in (row[name] for row in rows if name in row):
        mean = MEMORY * mean + (1 - MEMORY) * value
    return mean
