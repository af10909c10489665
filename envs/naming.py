"""Words that tell one of several alike objects from the others.

Where a colour does not decide, a place or a size has to: "the left mug". An object is
named only if it is ahead of the next one by a margin that is plain to see.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Column, margin [m], word for the least, word for the most. The camera looks along -x,
# so what has the larger x is in front and what has the larger y is on the right.
RELATIONS = (
    (0, 0.05, "back", "front"),
    (1, 0.05, "left", "right"),
    (2, 0.01, "shortest", "tallest"),
)


def list_names(features: NDArray[np.float64]) -> list[tuple[str, int]]:
    """Lists every word that names exactly one of several objects.

    Args:
        features: [N, 3] x, y and height of the objects in metres.

    Returns:
        Pairs of a word and the index of the object it names; none for N < 2.
    """
    names: list[tuple[str, int]] = []
    if len(features) < 2:
        return names
    for column, margin, least, most in RELATIONS:
        order = np.argsort(features[:, column])
        value = features[order, column]
        if value[1] - value[0] > margin:
            names.append((least, int(order[0])))
        if value[-1] - value[-2] > margin:
            names.append((most, int(order[-1])))
    return names
