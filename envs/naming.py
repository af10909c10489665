"""Words that tell one of several alike objects from the others, and goals from them.

Where a colour does not decide, a place or a size has to: "the left mug". An object is
named only if it is ahead of the next one by a margin that is plain to see.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.task import Goal

# Column, margin [m], word for the least, word for the most. The camera looks along -x,
# so what has the larger x is in front and what has the larger y is on the right; one
# that stands aside is brought there by turning what it sees.
RELATIONS = (
    (0, 0.05, "back", "front"),
    (1, 0.05, "left", "right"),
    (2, 0.01, "shortest", "tallest"),
)


def list_names(
    features: NDArray[np.float64], facing: float = 0.0
) -> list[tuple[str, int]]:
    """Lists every word that names exactly one of several objects.

    Args:
        features: [N, 3] x, y and height of the objects in metres.
        facing: Turn of `envs.cameras.viewpoint.find_facing` [rad], for words as the
            image shows it.

    Returns:
        Pairs of a word and the index of the object it names; none for N < 2.
    """
    names: list[tuple[str, int]] = []
    if len(features) < 2:
        return names
    cos, sin = np.cos(facing), np.sin(facing)
    features = features @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    for column, margin, least, most in RELATIONS:
        order = np.argsort(features[:, column])
        value = features[order, column]
        if value[1] - value[0] > margin:
            names.append((least, int(order[0])))
        if value[-1] - value[-2] > margin:
            names.append((most, int(order[-1])))
    return names


def name_row(count: int, facing: float) -> list[str]:
    """Words for two or three things in a row along y, in the order of their y.

    Args:
        count: How many they are.
        facing: As in `list_names`: from behind, the left one is the other one.
    """
    words = ["left", "right"] if count == 2 else ["left", "middle", "right"]
    return words if np.cos(facing) > 0 else words[::-1]


def list_others(bodies: Sequence[str], target: str) -> tuple[str, ...]:
    """All bodies but the target."""
    return tuple(body for body in bodies if body != target)


def ask_each(kind: str, part: str, wording: str, names: Sequence[str]) -> list[Goal]:
    """A goal for each of several things alike, named by one word each.

    Args:
        kind: The bodies are called `<kind>0`, `<kind>1`, ...
        part: The part `<kind>0/<part>` is touched; "" for the body itself.
        wording: The instruction, with `{}` where the name belongs.
        names: The words that name the bodies, in the bodies' order.
    """
    bodies = [f"{kind}{i}" for i in range(len(names))]
    return [
        Goal(
            instruction=wording.format(name),
            target=body,
            part=f"{body}/{part}" if part else body,
            bystanders=list_others(bodies, body),
            thought=f"{name} {kind}" + (f", {part}" if part else ""),
        )
        for body, name in zip(bodies, names, strict=True)
    ]
