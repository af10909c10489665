"""From what a file says to what can be learned from: numbers, in image units."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from policy.data.images import measure_image
from policy.data.records import PIXELS, UNITS, Annotation, Box, BrokenItem, Item

SLACK = 0.01  # image units by which annotations may stand out; they are cut off there
MIN_POINTS = 2


def check_item(item: Item) -> Annotation:
    """Returns an item in image units.

    Raises:
        BrokenItem: It cannot be learned from.
    """
    if not isinstance(item.instruction, str):
        raise BrokenItem("wrong_type", f"instruction {item.instruction!r}")
    if not item.instruction.strip():
        raise BrokenItem("no_instruction")
    if item.box is None and item.waypoints is None:
        raise BrokenItem("missing_field", "neither box nor waypoints")
    measured = measure_image(item.image)
    size = measured.size
    box = None if item.box is None else _read_box(item.box, item.units, size)
    path = None if item.waypoints is None else _read_path(item, size)
    return Annotation(
        name=item.name,
        image=item.image,
        picture=measured.digest,
        instruction=item.instruction.strip(),
        box=box,
        waypoints=path,
        category=item.category,
        split=item.split,
    )


def _read_box(given: Any, units: Any, size: tuple[int, int]) -> Box:
    corners = read_numbers(given, (4,))
    scale = _find_scale(corners, units, size)
    corners = corners / np.tile(scale, 2)
    low, high = corners[:2], corners[2:]
    if (high <= low).any():
        raise BrokenItem("empty_box", given)
    cut = _cut_off(corners, "box_outside", given, scale)
    if (cut[2:] <= cut[:2]).any():
        raise BrokenItem("box_outside", _tell_range(given, scale))
    x1, y1, x2, y2 = cut.tolist()
    return x1, y1, x2, y2


def _read_path(item: Item, size: tuple[int, int]) -> NDArray[np.float64]:
    given = item.waypoints
    points = read_numbers(given, (None, (2, 3)))
    if len(points) < MIN_POINTS:
        raise BrokenItem("few_points", given)
    scale = _find_scale(points[:, :2], item.units, size)
    points[:, :2] = _cut_off(points[:, :2] / scale, "point_outside", given, scale)
    return points


def read_numbers(given: Any, shape: tuple[Any, ...]) -> NDArray[np.float64]:
    """Returns nested lists as finite numbers.

    Args:
        given: What a file says.
        shape: Of each axis its length, the lengths it may have, or None for any.

    Raises:
        BrokenItem: They are something else.
    """
    try:
        _refuse_others(given)
        numbers = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise BrokenItem("wrong_type", given) from None
    if numbers.ndim != len(shape) and not (numbers.size == 0 and shape[0] is None):
        raise BrokenItem("wrong_type", given)
    if numbers.size == 0:
        raise BrokenItem("few_points" if shape[0] is None else "wrong_type", given)
    for length, wanted in zip(numbers.shape, shape, strict=True):
        fits = (wanted,) if isinstance(wanted, int) else wanted
        if fits is not None and length not in fits:
            raise BrokenItem("wrong_type", given)
    if not np.isfinite(numbers).all():
        raise BrokenItem("not_a_number", given)
    return numbers


def _refuse_others(given: Any) -> None:
    """Texts and truth values are not numbers, although numpy takes them for such."""
    for value in given:
        if isinstance(value, list | tuple | np.ndarray):
            _refuse_others(value)
        elif isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise TypeError(value)


def _find_scale(
    points: NDArray[np.float64], units: Any, size: tuple[int, int]
) -> NDArray[np.float64]:
    """[2] what a coordinate is divided by."""
    if units is None:
        units = UNITS if (points <= 1).all() else PIXELS
    if units == UNITS:
        return np.ones(2)
    scale = np.array(size, float) if units == PIXELS else read_numbers(units, (2,))
    if (scale < 1).any():
        raise BrokenItem("wrong_type", f"image of {units}")
    return scale


def _cut_off(
    points: NDArray[np.float64], reason: str, given: Any, scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    if (points < -SLACK).any() or (points > 1 + SLACK).any():
        raise BrokenItem(reason, _tell_range(given, scale))
    return points.clip(0, 1)


def _tell_range(given: Any, scale: NDArray[np.float64]) -> str:
    """What stands outside of what; pixels in place of fractions show by it."""
    width, height = scale.tolist()
    return f"x and y go to {width:g} and {height:g}, but it is {given}"
