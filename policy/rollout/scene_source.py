"""Where scenes come from: kinds, split and variety, with a seed one scene.

This file must not import torch: processes that build scenes load it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

import envs
from envs.cameras.viewpoint import Viewpoint, read_viewpoint
from envs.meshes.cover import PRIMITIVE
from envs.randomization.factors import check_choice
from envs.records import ANSWERS, UNTOLD, Affordance, Plan
from envs.registry import check_without, has_expert, list_kinds, list_scenes
from envs.robot import DEFAULT, check_look, get_robot
from envs.scene import Scene, SceneConfig
from policy.knowledge import check_knowledge
from policy.variety.scenes import vary_scene, vary_view
from policy.variety.words import list_names
from rewards import RewardMix, check_answer


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSource:
    """Where scenes come from; with a seed it names one.

    Attributes:
        names: Registered scenes; one that is repeated comes more often.
        split: "train", "test" or "ood".
        shifts: Axes that leave their training range, for "ood"; all if empty.
        waypoints: "2d", or "3d": answers name heights, too.
        answer: One of `envs.records.ANSWERS`; parts of a plan are not executed.
        varied: Whether scenes look and read as others do not (`policy.variety`).
        camera: Where it stands instead of where scenes have it
            (`envs.cameras.viewpoint`).
        robot: Which arm acts, by the name it is registered under.
        look: What the arm looks like, one of `envs.meshes.cover.LOOKS`.
        without: Kinds of things that no scene has, of those that scenes name.
        knowledge: What is told beside the instruction (`policy.knowledge`).
        draws: Of seeds whose scene is known, which of their draws it is: those are not
            tried again.
    """

    names: tuple[str, ...]
    split: str = "train"
    shifts: tuple[str, ...] = ()
    waypoints: str = "2d"
    answer: str = Plan.kind
    varied: bool = False
    camera: Viewpoint = field(default_factory=dict)
    robot: str = DEFAULT
    look: str = PRIMITIVE
    without: tuple[str, ...] = ()
    knowledge: str = UNTOLD
    draws: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be: no scene, and names that nothing has."""
        if not self.names:
            raise ValueError("no scene is named: at least one needed")
        check_choice("answer", self.answer, ANSWERS)
        read_viewpoint(self.camera)
        get_robot(self.robot)
        check_look(self.look, self.robot)
        check_without(list_scenes(), self.without)
        check_knowledge(self.knowledge)
        if self.waypoints == "3d" and self.answer == Affordance.kind:
            raise ValueError(
                "waypoints=3d, but answer=affordance asks for no waypoints"
            )

    @property
    def name(self) -> str:
        """The scene's name; `all` of several."""
        return self.names[0] if len(set(self.names)) == 1 else "all"

    def held_out(self, draws: Mapping[int, int] | None = None) -> SceneSource:
        """Returns the scenes that a policy which learns from these is measured on.

        Args:
            draws: Those of scenes that are known.
        """
        split = "test" if self.split == "train" else self.split
        return replace(self, split=split, varied=False, draws=draws or {})

    def with_names(self, names: Sequence[str]) -> SceneSource:
        """Returns the same with other kinds of scenes."""
        return replace(self, names=tuple(names))

    def check_mix(self, mix: RewardMix, picture_mix: RewardMix | None = None) -> None:
        """Refuses rewards that cannot be given.

        Args:
            mix: Of scenes.
            picture_mix: Of images, of which there are none here.

        Raises:
            ValueError: The mix judges what is not asked or not executed, or compares
                with an expert that a scene lacks.
        """
        check_answer(mix, self.answer)
        for env in self.names:
            if mix.needs_reference and not has_expert(env):
                raise ValueError(
                    f"scene {env!r} has no expert to compare answers with, as "
                    f"reward={mix.name} would: use reward=success answer=plan"
                )

    def list_broken(self, path: Path) -> None:
        """Writes nothing: scenes are made, not read."""

    def choose_seeds(self, n: int, *key: int) -> list[int]:
        """Returns the seeds of n scenes; see the function of the same name."""
        return choose_seeds(n, *key)

    def is_repeat(self, seed: int) -> bool:
        """Whether a seed names what a smaller one names, too; each is a new scene."""
        return False

    def prepare(self, seed: int) -> partial[Scene]:
        """Returns what makes the scene of a seed, to be sent to a process."""
        return partial(self.make_scene, seed)

    def prepare_alone(self, seed: int) -> partial[Scene]:
        """Returns the same: no scene stands in for another."""
        return self.prepare(seed)

    def check_turns(self, max_turns: int) -> None:
        """Refuses a number of turns that an episode cannot have.

        Raises:
            ValueError: It is below 1, or above 1 where nothing is executed.
        """
        if max_turns < 1:
            raise ValueError(f"max_turns is {max_turns}; at least 1 needed")
        if max_turns > 1 and self.answer != Plan.kind:
            raise ValueError(
                f"max_turns is {max_turns}, but answer={self.answer} is not executed: "
                "no turn changes anything for the next; use max_turns=1"
            )

    def check_frozen(self) -> None:
        """Refuses scenes that a frozen suite cannot hold.

        Raises:
            ValueError: They are varied, shifted on single axes, seen from elsewhere, of
                another robot, look otherwise or lack kinds of things.
        """
        if self.varied:
            raise ValueError("varied=true: a suite has its scenes as they were frozen")
        if self.shifts:
            raise ValueError(
                f"shifts={list(self.shifts)}: a suite has all axes shifted"
            )
        if self.camera:
            raise ValueError(f"camera={self.camera}: a suite has its own cameras")
        if self.robot != DEFAULT:
            raise ValueError(
                f"robot={self.robot}: a suite has its own robot, {DEFAULT}"
            )
        if self.look != PRIMITIVE:
            raise ValueError(f"look={self.look}: a suite has look={PRIMITIVE}")
        if self.without:
            raise ValueError(f"without={list(self.without)}: a suite has all kinds")

    def choose(self, seed: int) -> SceneConfig:
        """Returns what the scene of a seed is made from.

        The seed also chooses among several kinds of scenes.
        """
        varied = vary_scene(np.random.default_rng([seed, 2])) if self.varied else {}
        name = self.names[seed % len(self.names)]
        kinds = list_kinds(name)
        return SceneConfig(
            name=name,
            split=self.split,
            seed=seed,
            shifts=self.shifts,
            waypoints=self.waypoints,
            camera=self.camera,
            robot=self.robot,
            look=self.look,
            without=[kind for kind in self.without if kind in kinds],
            knowledge=self.knowledge,
            draw=self.draws.get(seed),
            **varied,
        )

    def make_scene(self, seed: int) -> Scene:
        """Returns the scene of a seed, its observation asking what is to be asked."""
        scene = envs.sample_scene(self.choose(seed))
        seen = replace(scene.observation, answer=self.answer)
        if self.varied:
            rng, parts = np.random.default_rng([seed, 3]), envs.label_parts(scene)
            names = list_names([goal.instruction for goal in scene.goals])
            image, words = vary_view(seen.image, parts, seen.instruction, rng, names)
            seen = replace(seen, image=image, instruction=words)
        return replace(scene, observation=seen)


def choose_seeds(n: int, *key: int) -> list[int]:
    """Returns n scene seeds that depend on `key` alone, e.g. (seed, step)."""
    return np.random.SeedSequence(key).generate_state(n).tolist()
