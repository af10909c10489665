"""One supervised example: a scene and what its expert answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.records import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One scene and its expert's answer.

    Attributes:
        image: [H, W, 3] uint8 RGB.
        parts: [H, W] uint8 part classes, 0 for anything else.
        target: [H, W] bool, the part that the instruction asks for.
        instruction: The task in words.
        plan: The expert's answer.
    """

    image: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    target: NDArray[np.bool_]
    instruction: str
    plan: Plan
