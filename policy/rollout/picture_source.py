"""Annotated images as a source of things to ask about, beside `SceneSource`.

The trainer does not know the difference: a seed names an image, no answer is executed,
and the annotation is the reference that answers are compared with. This file must not
import torch: processes that load images load it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from envs.randomization.factors import check_choice
from envs.records import ANSWERS, NO_BOX, UNTOLD, Plan, Question, Reference
from envs.scene import Picture, PictureConfig
from policy.data.images import load_image
from policy.data.records import Annotation, BrokenItem
from policy.data.sets import AnnotatedSet
from policy.knowledge import check_knowledge
from rewards import RewardMix, check_answer

NAME = "offline"  # `env=` of annotated images
HELD_OUT = 10  # of so many images one is kept for tests, if the set keeps none itself
SPLITS = ("train", "test")
TRIES = 8  # images that cannot be decoded in a row, at most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureSource:
    """Where annotated images come from; with a seed it names one.

    Attributes:
        images: An opened set.
        names: `NAME`, as a source of scenes has names.
        split: "train" or "test": as the set itself has it, or, if it has no such
            words or is all for training, every tenth image is for tests. An image is
            never in both.
        answer: One of `envs.records.ANSWERS`.
        knowledge: What is told beside the instruction (`policy.knowledge`).
    """

    images: AnnotatedSet
    names: tuple[str, ...] = (NAME,)
    split: str = "train"
    answer: str = Plan.kind
    knowledge: str = UNTOLD

    def __post_init__(self) -> None:
        """Refuses an answer that nobody can be asked for, and an empty split."""
        check_choice("answer", self.answer, ANSWERS)
        check_choice("split", self.split, SPLITS)
        check_knowledge(self.knowledge)
        if not len(list_places(self.images, self.split)):
            raise ValueError(
                f"split={self.split}: none of {len(self.images.items)} images is in it"
            )

    @property
    def name(self) -> str:
        """The name of all annotated images."""
        return NAME

    def held_out(self, draws: Mapping[int, int] | None = None) -> PictureSource:
        """Returns the images that a policy which learns from these is measured on.

        Args:
            draws: Of scenes; images have none.
        """
        return replace(self, split="test")

    def check_turns(self, max_turns: int) -> None:
        """Refuses more than one turn: nothing is executed that could change."""
        if max_turns != 1:
            raise ValueError(f"max_turns is {max_turns}, but env={NAME} has one turn")

    def check_frozen(self) -> None:
        """Refuses a frozen suite, which is of scenes."""
        raise ValueError(f"suite=, but env={NAME}: a suite is of scenes")

    def with_names(self, names: Sequence[str]) -> PictureSource:
        """Returns itself: all images have one name."""
        return self

    def check_mix(self, mix: RewardMix, picture_mix: RewardMix | None = None) -> None:
        """Refuses rewards that judge an execution.

        Args:
            mix: Of everything.
            picture_mix: Of images, if it is another.
        """
        mix = picture_mix or mix
        check_answer(mix, self.answer)
        if mix.needs_outcome:
            raise ValueError(
                f"reward={mix.name} judges a simulation, but env={NAME} has images "
                "alone: use reward=paper"
            )

    def list_broken(self, path: Path) -> None:
        """Writes a line of JSON for each item of the set that was left out."""
        self.images.list_broken(path)

    def choose_seeds(self, n: int, *key: int) -> list[int]:
        """Returns the places of n images, none twice before all have come once.

        Args:
            n: How many.
            *key: Chooses them.
        """
        places = list_places(self.images, self.split)
        rng = np.random.default_rng(np.random.SeedSequence(key))
        rounds = max(1, -(-n // len(places)))
        order = [rng.permutation(places) for _ in range(rounds)]
        return np.concatenate(order)[:n].tolist()

    def choose(self, seed: int) -> PictureConfig:
        """Returns where the image of a seed is from."""
        return describe_item(self.images.items[seed], seed, self.split)

    def prepare(self, seed: int) -> partial[Picture]:
        """Returns what makes the image of a seed, to be sent to a process.

        It takes the next image of the split where one cannot be decoded.
        """
        places = list_places(self.images, self.split)
        start = int(np.searchsorted(places, seed))
        following = [places[(start + k) % len(places)] for k in range(TRIES)]
        items = [self.images.items[place] for place in following]
        return partial(
            make_picture, items, seed, self.split, self.answer, self.knowledge
        )


@lru_cache(maxsize=8)
def list_places(images: AnnotatedSet, split: str) -> NDArray[np.int64]:
    """[N] the places of a split's images in their set, ascending."""
    known = images.splits & {*SPLITS}
    own = known and images.splits != {"train"}  # all for training: a part is held out
    choose = _read_split if own else _draw_split
    return np.flatnonzero([choose(item) == split for item in images.items])


def _read_split(item: Annotation) -> str:
    """The set's own split; its further words, such as "ood", are for tests."""
    return "train" if item.split == "train" else "test"


def _draw_split(item: Annotation) -> str:
    """By the image, so that two annotations of one image are on the same side."""
    held_out = crc32(item.image.key.encode()) % HELD_OUT == 0
    return "test" if held_out else "train"


def describe_item(item: Annotation, seed: int, split: str) -> PictureConfig:
    """Returns where an image is from."""
    return PictureConfig(
        name=NAME, split=split, seed=seed, item=item.name, category=item.category
    )


def make_picture(
    items: Sequence[Annotation],
    seed: int,
    split: str,
    answer: str,
    knowledge: str = UNTOLD,
) -> Picture:
    """Returns the first of some annotated images that can be decoded.

    Raises:
        ValueError: None can.
    """
    for item in items:
        try:
            image = load_image(item.image)
        except BrokenItem as error:
            last = error
            continue
        path = [] if item.waypoints is None else item.waypoints.tolist()
        return Picture(
            config=describe_item(item, seed, split),
            observation=Question(
                image=image,
                instruction=item.instruction,
                waypoints="3d" if path and len(path[0]) == 3 else "2d",
                answer=answer,
                knowledge=knowledge,
            ),
            reference=Reference(
                box=item.box or NO_BOX, waypoints=tuple(map(tuple, path))
            ),
            stands_for="" if item is items[0] else items[0].name,
        )
    raise ValueError(
        f"{len(items)} images in a row cannot be decoded, the last: {last}"
    )
