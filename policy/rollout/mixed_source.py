"""Annotated images and scenes in the same steps: `env=[offline,pick_mug]`.

This file must not import torch: processes that build scenes load it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from envs.scene import Picture, PictureConfig, Scene, SceneConfig
from policy.rollout.picture_source import PictureSource
from policy.rollout.scene_source import SceneSource
from rewards import RewardMix

TURN = 2  # a seed is twice the scene's own, or twice the image's and one more


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixedSource:
    """Scenes, of which answers are executed, beside images, of which they are not.

    Attributes:
        scenes: Where the scenes come from.
        pictures: Where the images come from.
        share: Of images in a step, 0..1.
    """

    scenes: SceneSource
    pictures: PictureSource
    share: float = 0.5

    @property
    def names(self) -> tuple[str, ...]:
        """The scenes, which are what a step can have more or less of."""
        return self.scenes.names

    @property
    def name(self) -> str:
        """That of several kinds of scenes."""
        return "all"

    @property
    def split(self) -> str:
        """That of the scenes."""
        return self.scenes.split

    @property
    def answer(self) -> str:
        """What scenes and images ask for."""
        return self.scenes.answer

    def with_names(self, names: Sequence[str]) -> MixedSource:
        """Returns the same with other kinds of scenes."""
        return replace(self, scenes=self.scenes.with_names(names))

    def held_out(self, draws: Mapping[int, int] | None = None) -> MixedSource:
        """Returns the scenes and images that a policy is measured on.

        Args:
            draws: Those of scenes that are known.
        """
        return replace(
            self,
            scenes=self.scenes.held_out(draws),
            pictures=self.pictures.held_out(),
        )

    def check_turns(self, max_turns: int) -> None:
        """Refuses a number of turns that scenes cannot have; images have one."""
        self.scenes.check_turns(max_turns)

    def check_frozen(self) -> None:
        """Refuses a frozen suite, which is of scenes alone."""
        self.pictures.check_frozen()

    def check_mix(self, mix: RewardMix, picture_mix: RewardMix | None = None) -> None:
        """Refuses rewards that cannot be given.

        Args:
            mix: Of scenes.
            picture_mix: Of images; None is as of scenes.
        """
        self.scenes.check_mix(mix)
        self.pictures.check_mix(picture_mix or mix)

    def list_broken(self, path: Path) -> None:
        """Writes a line of JSON for each item of the set that was left out."""
        self.pictures.list_broken(path)

    def choose_seeds(self, n: int, *key: int) -> list[int]:
        """Returns n seeds, of scenes and of images in turn.

        Args:
            n: How many.
            *key: Chooses them, and where n times the share of images is no whole
                number also how many those are, right on average.
        """
        chance = np.random.default_rng([*key, 4]).random()
        count = int(n * self.share + chance)
        pictures = [TURN * s + 1 for s in self.pictures.choose_seeds(count, *key)]
        scenes = [TURN * s for s in self.scenes.choose_seeds(n - count, *key)]
        # Spread out, so that processes which share a step share both kinds.
        places = [
            (i + 0.5) / len(row) for row in (scenes, pictures) for i in range(len(row))
        ]
        order = np.argsort(places, kind="stable")
        return [[*scenes, *pictures][place] for place in order]

    def is_repeat(self, seed: int) -> bool:
        """Whether a seed names an image that a smaller one names, too."""
        own, picture = divmod(seed, TURN)
        return bool(picture) and self.pictures.is_repeat(own)

    def choose(self, seed: int) -> SceneConfig | PictureConfig:
        """Returns what the scene of a seed is made from, or where the image is from."""
        own, picture = divmod(seed, TURN)
        return self.pictures.choose(own) if picture else self.scenes.choose(own)

    def prepare(self, seed: int) -> partial[Scene] | partial[Picture]:
        """Returns what makes the scene or image of a seed, to be sent to a process."""
        own, picture = divmod(seed, TURN)
        return self.pictures.prepare(own) if picture else self.scenes.prepare(own)

    def prepare_alone(
        self, seed: int
    ) -> partial[Scene] | partial[Picture | PictureConfig]:
        """Returns what makes the scene, or the image and no other; see the sources."""
        own, picture = divmod(seed, TURN)
        source = self.pictures if picture else self.scenes
        return source.prepare_alone(own)


Source = SceneSource | PictureSource | MixedSource
"""Where what is asked comes from."""


def list_kinds(source: Source) -> tuple[str, ...]:
    """Returns the names of all that a source may ask of, images among them."""
    pictures = source.pictures.names if isinstance(source, MixedSource) else ()
    return (*source.names, *pictures)
