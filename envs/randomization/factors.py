"""Random factors of a scene, each with a train range and a held-out range.

A scene draws every factor through `Factors`, naming the axis it belongs to and both
ranges side by side. `split="ood"` takes the held-out range on the chosen axes; train
and test differ in their seeds alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

SPLITS = ("train", "test", "ood")
AXES = (
    "shape",
    "colour",
    "position",
    "lighting",
    "camera",
    "distractors",
    "wording",
    "target",
)

BEYOND = 0.4  # share of a stretched axis's numbers from beyond what is held out
MAX_ATTEMPTS = 50  # at one seed; a sound scene needs 1 or 2
DEMONSTRATION = MAX_ATTEMPTS  # number of the random stream of the expert's choices

T = TypeVar("T")
Range = tuple[float, float]


class Factors:
    """Draws factors from the ranges that a split and its shifts select.

    Attributes:
        rng: The generator, for what belongs to no axis.
        shifted: Axes that draw from their held-out range.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        split: str,
        shifts: Sequence[str] = (),
        instead: Mapping[str, str] | None = None,
        stretched: Sequence[str] = (),
        without: Sequence[str] = (),
    ):
        """Validates names.

        Args:
            rng: Draws.
            split: One of `SPLITS`.
            shifts: Axes that are held out in `split="ood"`; all if empty.
            instead: Colours that take the place of those drawn, by name.
            stretched: Axes whose numbers also come from either side of what they are
                trained on and of what is held out; integers and choices stay, and so do
                axes that are shifted.
            without: Kinds of things that never come.
        """
        check_axes(split, shifts, stretched)
        self.rng = rng
        self._instead: Mapping[Any, Any] = instead or {}
        self._without = frozenset(without)
        self.shifted = frozenset(shifts or AXES) if split == "ood" else frozenset()
        self._stretched = frozenset(stretched) - self.shifted

    def keep(self, kinds: Iterable[str]) -> list[str]:
        """Those kinds of things that may come, in their order."""
        return [kind for kind in kinds if kind not in self._without]

    def uniform(self, axis: str, train: Range, held_out: Range) -> float:
        """A number from the axis's current range."""
        if axis in self._stretched:
            near, far = _stretch(train, held_out)
            train = far if self.rng.random() < BEYOND else near
        return float(self.rng.uniform(*self._pick(axis, train, held_out)))

    def integer(self, axis: str, train: Range, held_out: Range) -> int:
        """An integer from the axis's current range, both ends included."""
        low, high = self._pick(axis, train, held_out)
        return int(self.rng.integers(int(low), int(high) + 1))

    def choice(self, axis: str, train: Sequence[T], held_out: Sequence[T]) -> T:
        """One of the axis's current choices."""
        options = self._pick(axis, train, held_out)
        return self._rename(axis, options[int(self.rng.integers(len(options)))])

    def sample(
        self, axis: str, count: int, train: Sequence[T], held_out: Sequence[T]
    ) -> list[T]:
        """Several different ones of the axis's current choices."""
        options = self._pick(axis, train, held_out)
        order = self.rng.permutation(len(options))[:count]
        return [self._rename(axis, options[i]) for i in order]

    def _rename(self, axis: str, option: T) -> T:
        if axis != "colour" or not isinstance(option, str):
            return option
        return self._instead.get(option, option)

    def _pick(self, axis: str, train: T, held_out: T) -> T:
        check_choice("axis", axis, AXES)
        return held_out if axis in self.shifted else train


def _stretch(train: Range, held_out: Range) -> tuple[Range, Range]:
    """The ranges on both sides of what is held out.

    That of training, longer on the other side, twice, or by a half if around zero; and
    beyond what is held out one as long as that.
    """
    (low, high), (least, most) = train, held_out
    more = high if low == -high else high - low
    if sum(held_out) < sum(train):
        return (low, high + more), (2 * least - most, least)
    return (low - more, high), (most, 2 * most - least)


def check_axes(
    split: str, shifts: Sequence[str] = (), stretched: Sequence[str] = ()
) -> None:
    """Raises a ValueError if a split or an axis is unknown, or shifts have no use."""
    check_choice("split", split, SPLITS)
    for what, axes in (("shift", shifts), ("stretched axis", stretched)):
        for axis in axes:
            check_choice(what, axis, AXES)
    if shifts and split != "ood":
        raise ValueError(f"shifts={list(shifts)} need split='ood', not split={split!r}")


def check_choice(what: str, value: str, valid: Sequence[str]) -> None:
    """Raises a ValueError that names the culprit and the valid choices."""
    if value not in valid:
        raise ValueError(f"unknown {what} {value!r}; valid: {', '.join(valid)}")


def scene_rng(name: str, split: str, seed: int, attempt: int) -> np.random.Generator:
    """The generator of one attempt at one scene; equal arguments, equal stream."""
    check_choice("split", split, SPLITS)
    key = (zlib.crc32(name.encode()), SPLITS.index(split), seed, attempt)
    return np.random.default_rng(np.random.SeedSequence(key))
