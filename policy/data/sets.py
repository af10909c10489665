"""A set of annotated images: opened at once, its pixels read when they are wanted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from envs.randomization.factors import check_choice
from envs.records import Affordance, Plan, Trajectory
from policy.data.checking import check_item
from policy.data.formats import (
    graspo,
    llarva,
    masks,
    sharerobot,
    sharerobot_bench,
    umd,
    vabench,
)
from policy.data.records import Annotation, BrokenItem, Item

FORMATS: dict[str, ModuleType] = {
    "graspo": graspo,
    "sharerobot": sharerobot,
    "sharerobot_bench": sharerobot_bench,
    "umd": umd,
    "vabench": vabench,
    "masks": masks,
    "llarva": llarva,
}
"""Name of a format to the module that reads and writes it."""

MOST_BROKEN = 0.2  # share of a set; with more, something else is wrong with it
MANY = 2**17  # broken items after which their share is looked at before the set ends


@dataclass(frozen=True, slots=True, kw_only=True)
class SetConfig:
    """Which annotated images; the keys below `data` of the command line.

    Attributes:
        path: A directory or a file.
        format: One of `FORMATS`.
        fraction: Share of the items, 0..1; a smaller one is part of a larger one.
        seed: Chooses them.
        without: Categories that are left out.
        split: The set's own word for a part of it; all if empty.
    """

    path: str
    format: str = "graspo"
    fraction: float = 1.0
    seed: int = 0
    without: Sequence[str] = ()
    split: str = ""

    def __post_init__(self) -> None:
        """Refuses what cannot be."""
        check_choice("data.format", self.format, tuple(FORMATS))
        if not 0 < self.fraction <= 1:
            raise ValueError(f"data.fraction is {self.fraction}; must be in 0..1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnotatedSet:
    """Annotated images that fit what is asked.

    Attributes:
        items: They.
        broken: What is wrong with each item that is left out, as plain data.
        splits: The set's own words for its parts, also of those not taken.
    """

    items: Sequence[Annotation]
    broken: Sequence[dict[str, str]] = field(default=())
    splits: frozenset[str] = frozenset()

    def count_broken(self) -> dict[str, int]:
        """Returns how many items were left out, by reason, most frequent first."""
        return dict(Counter(row["reason"] for row in self.broken).most_common())

    def list_broken(self, path: Path) -> None:
        """Writes what is wrong with each broken item, a line of JSON each."""
        lines = [json.dumps(row, ensure_ascii=False) for row in self.broken]
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def open_set(config: SetConfig, answer: str = Plan.kind) -> AnnotatedSet:
    """Looks at every item of a set, but decodes no image; masks it does.

    Args:
        config: Which.
        answer: What is asked, one of `envs.records.ANSWERS`: items without it are not
            taken.

    Raises:
        FileNotFoundError: There is no such set.
        ValueError: It holds nothing that fits, or too much of it is broken.
    """
    path = Path(config.path)
    if not path.exists():
        raise FileNotFoundError(f"data.path={path} does not exist")
    good: list[Annotation] = []
    broken: list[dict[str, str]] = []
    for number, found in enumerate(FORMATS[config.format].read(path)):
        try:
            good.append(_check(found))
        except BrokenItem as error:
            name = getattr(found, "name", f"item {number}")
            row = {"item": name, "reason": error.reason, "detail": error.detail}
            broken.append(row)
            if len(broken) % MANY == 0:  # a small file may say millions of them
                _check_broken(path, good, broken)
    _check_broken(path, good, broken)
    return AnnotatedSet(
        items=_choose(config, good, answer),
        broken=broken,
        splits=frozenset(item.split for item in good),
    )


def _check(found: Item | BrokenItem) -> Annotation:
    if isinstance(found, BrokenItem):
        raise found
    return check_item(found)


def _check_broken(
    path: Path, good: Sequence[Annotation], broken: Sequence[dict[str, Any]]
) -> None:
    if len(broken) > MOST_BROKEN * (len(good) + len(broken)):
        reasons = Counter(row["reason"] for row in broken).most_common(3)
        listed = ", ".join(f"{count} {reason}" for reason, count in reasons)
        first = broken[0]
        raise ValueError(
            f"data.path={path}: {len(broken)} of {len(good) + len(broken)} items are "
            f"broken ({listed}); the first is {first['item']}: {first['detail']}"
        )


def _choose(
    config: SetConfig, good: Sequence[Annotation], answer: str
) -> list[Annotation]:
    """The items with what is asked, of the split, the categories and the fraction."""
    fitting = [item for item in good if _has(item, answer)]
    if not fitting:
        kinds = sorted({kind for item in good for kind in _list_answers(item)})
        raise ValueError(
            f"data.path={config.path}: no item has answer={answer}, but "
            f"{len(good)} have answer={' or '.join(kinds) or 'nothing'}"
        )
    if config.split:
        splits = sorted({item.split for item in fitting})
        check_choice("data.split", config.split, splits)
        fitting = [item for item in fitting if item.split == config.split]
    categories = sorted({item.category for item in fitting})
    for category in config.without:
        check_choice("data.without", category, categories)
    fitting = [item for item in fitting if item.category not in config.without]
    if not fitting:
        raise ValueError(f"data.without={list(config.without)} leaves nothing")
    order = np.random.default_rng(config.seed).permutation(len(fitting))
    kept = order[: max(1, round(config.fraction * len(fitting)))]
    return [fitting[place] for place in sorted(kept.tolist())]


def _list_answers(item: Annotation) -> Iterator[str]:
    if item.box is not None:
        yield Affordance.kind
    if item.waypoints is not None:
        yield Trajectory.kind
    if item.box is not None and item.waypoints is not None:
        yield Plan.kind


def _has(item: Annotation, answer: str) -> bool:
    return answer in _list_answers(item)
