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

import numpy as np
from numpy.typing import NDArray

from envs.randomization.factors import check_choice
from envs.records import (
    ANSWERS,
    NO_BOX,
    UNTOLD,
    Affordance,
    Plan,
    Question,
    Reference,
)
from envs.scene import WAYPOINTS, Picture, PictureConfig
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

    A seed is the image's place in its set. Where an image comes again, the seed is
    larger by the size of the set, so that it is not answered with the same words.

    Attributes:
        images: An opened set.
        names: `NAME`, as a source of scenes has names.
        split: "train" or "test": as the set itself has it, or, if it has no such
            words or is all for training, every tenth image is for tests, of which
            equal files are one.
        waypoints: "2d", which leaves the heights of annotations out, or "3d".
        answer: One of `envs.records.ANSWERS`.
        knowledge: What is told beside the instruction (`policy.knowledge`).
    """

    images: AnnotatedSet
    names: tuple[str, ...] = (NAME,)
    split: str = "train"
    waypoints: str = "2d"
    answer: str = Plan.kind
    knowledge: str = UNTOLD

    def __post_init__(self) -> None:
        """Refuses an answer or heights that nothing has, and an empty split."""
        check_choice("answer", self.answer, ANSWERS)
        check_choice("split", self.split, SPLITS)
        check_choice("waypoints", self.waypoints, WAYPOINTS)
        check_knowledge(self.knowledge)
        if self.waypoints == "3d":
            self._check_heights()
        if not len(list_places(self.images, self.split)):
            raise ValueError(
                f"split={self.split}: none of {len(self.images.items)} images is in it"
            )

    def _check_heights(self) -> None:
        if self.answer == Affordance.kind:
            raise ValueError(
                "waypoints=3d, but answer=affordance asks for no waypoints"
            )
        items = self.images.items
        if flat := [item for item in items if not item.has_heights]:
            raise ValueError(
                f"waypoints=3d: {len(flat)} of {len(items)} annotated images have no "
                f"heights, the first is {flat[0].name}: use waypoints=2d"
            )

    @property
    def name(self) -> str:
        """The name of all annotated images."""
        return NAME

    def held_out(self, draws: Mapping[int, int] | None = None) -> PictureSource:
        """Returns the images that a policy which learns from these is measured on.

        Args:
            draws: Of scenes; images have none.

        Raises:
            ValueError: These are themselves such images, or there are none.
        """
        if self.split == "test":
            raise ValueError(
                f"split=test: env={NAME} measures these images, so nothing may learn "
                "from them: use split=train"
            )
        if not len(list_places(self.images, "test")):
            raise ValueError(
                f"none of {len(self.images.items)} annotated images is held out to be "
                "measured on: n=0 leaves the evaluations out, more images or another "
                "data.split= may have some"
            )
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
        """Returns the seeds of n images, none again before all have come once.

        Args:
            n: How many.
            *key: Chooses them.
        """
        places = list_places(self.images, self.split)
        rng = np.random.default_rng(np.random.SeedSequence(key))
        rounds, size = max(1, -(-n // len(places))), len(self.images.items)
        order = [rng.permutation(places) + turn * size for turn in range(rounds)]
        return np.concatenate(order)[:n].tolist()

    def is_repeat(self, seed: int) -> bool:
        """Whether a seed names an image that a smaller one names, too."""
        return seed >= len(self.images.items)

    def choose(self, seed: int) -> PictureConfig:
        """Returns where the image of a seed is from."""
        return describe_item(self._find_item(seed), seed, self.split)

    def prepare(self, seed: int) -> partial[Picture]:
        """Returns what makes the image of a seed, to be sent to a process.

        It takes the next image of the split where one cannot be decoded.
        """
        places = list_places(self.images, self.split)
        start = int(np.searchsorted(places, seed % len(self.images.items)))
        following = [places[(start + k) % len(places)] for k in range(TRIES)]
        items = [self.images.items[place] for place in following]
        return partial(make_first, items, seed, self.split, self._describe_question())

    def prepare_alone(self, seed: int) -> partial[Picture | PictureConfig]:
        """Returns what makes the image of a seed and no other.

        Where it cannot be decoded that gives no more than where the image is from.
        """
        item, asked = self._find_item(seed), self._describe_question()
        return partial(try_picture, item, seed, self.split, asked)

    def _find_item(self, seed: int) -> Annotation:
        return self.images.items[seed % len(self.images.items)]

    def _describe_question(self) -> dict[str, str]:
        """What all images are asked, as fields of `Question`."""
        return {
            "waypoints": self.waypoints,
            "answer": self.answer,
            "knowledge": self.knowledge,
        }


@lru_cache(maxsize=8)
def list_places(images: AnnotatedSet, split: str) -> NDArray[np.int64]:
    """[N] the places of a split's images in their set, ascending."""
    known = images.splits & {*SPLITS}
    own = known and images.splits != {"train"}  # all for training: a part is held out
    choose = _read_split if own else _draw_split
    return np.flatnonzero([choose(item) == split for item in images.items])


def _read_split(item: Annotation) -> str:
    """The set's own split; its further words, such as "ood", are for tests."""
    if not item.split:
        return _draw_split(item)
    return "train" if item.split == "train" else "test"


def _draw_split(item: Annotation) -> str:
    """By the image, so that all its annotations and copies are on the same side."""
    held_out = item.picture % HELD_OUT == 0
    return "test" if held_out else "train"


def describe_item(item: Annotation, seed: int, split: str) -> PictureConfig:
    """Returns where an image is from."""
    return PictureConfig(
        name=NAME, split=split, seed=seed, item=item.name, category=item.category
    )


def make_first(
    items: Sequence[Annotation], seed: int, split: str, asked: Mapping[str, str]
) -> Picture:
    """Returns the first of some annotated images that can be decoded.

    Raises:
        ValueError: None can.
    """
    for item in items:
        try:
            return make_picture(item, seed, split, asked)
        except BrokenItem as error:
            last = error
    raise ValueError(
        f"{len(items)} images in a row cannot be decoded, the last: {last}"
    )


def try_picture(
    item: Annotation, seed: int, split: str, asked: Mapping[str, str]
) -> Picture | PictureConfig:
    """Returns an annotated image, or where it is from if it cannot be decoded."""
    try:
        return make_picture(item, seed, split, asked)
    except BrokenItem:
        return describe_item(item, seed, split)


def make_picture(
    item: Annotation, seed: int, split: str, asked: Mapping[str, str]
) -> Picture:
    """Returns an annotated image with what is asked of it.

    Args:
        item: The image.
        seed: Chose it.
        split: Of `SPLITS`.
        asked: Fields of `Question` that all images share.

    Raises:
        BrokenItem: It cannot be decoded.
    """
    axes = 3 if asked["waypoints"] == "3d" else 2
    path = [] if item.waypoints is None else item.waypoints[:, :axes].tolist()
    return Picture(
        config=describe_item(item, seed, split),
        observation=Question(
            image=load_image(item.image), instruction=item.instruction, **asked
        ),
        reference=Reference(box=item.box or NO_BOX, waypoints=tuple(map(tuple, path))),
    )
