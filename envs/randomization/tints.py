"""Colours as a scene draws them: names, and a tint for each."""

from __future__ import annotations

import numpy as np

from envs.randomization.colours import COLOURS, HELD_OUT_COLOURS, PALETTE, Colour
from envs.randomization.factors import Factors

TRAINED, HELD_OUT = tuple(COLOURS), tuple(HELD_OUT_COLOURS)


def shade(factors: Factors, colour: str) -> Colour:
    """One of the many tints that have a colour's name."""
    tint = factors.rng.normal(PALETTE[colour], 0.035)
    return tuple(np.clip(tint, 0, 1))


def sample_colours(factors: Factors, count: int) -> list[str]:
    """Different colours' names."""
    return factors.sample("colour", count, TRAINED, HELD_OUT)
