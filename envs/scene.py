"""A sampled scene: what it was made from, what is in it, what is seen and asked.

An annotated image takes a scene's place where there is nothing behind it to act in.
"""

from __future__ import annotations

import itertools
import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, SupportsIndex

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras import render
from envs.cameras.camera import read_camera
from envs.cameras.viewpoint import CAMERA, Viewpoint, read_viewpoint
from envs.meshes.cover import PRIMITIVE
from envs.randomization.colours import COLOURS, HELD_OUT_COLOURS, PALETTE
from envs.randomization.factors import check_axes, check_choice
from envs.records import UNTOLD, Observation, Question, Reference
from envs.robot import DEFAULT, check_look, get_robot
from envs.state import State
from envs.task import Goal, Task

IMAGE_SIZE = 224  # pixels, a side of the policy's image
WAYPOINTS = ("2d", "3d")


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneConfig:
    """What a scene is made from: equal ones make equal scenes, bit for bit.

    Attributes:
        name: A registered scene.
        split: Which ranges and seeds: "train", "test" or "ood".
        seed: Any integer >= 0.
        shifts: Axes that leave their training range, for `split="ood"`; all if empty.
        waypoints: "2d", or "3d" for an expert that writes heights, too; the scene is
            the same, chosen by the expert without heights.
        colours: Names of colours to replace by others, in the image and in the words:
            `{"red": "teal"}`; of `envs.randomization.colours.PALETTE`.
        stretched: Axes whose ranges extend further, to either side of what they are
            trained on and of what is held out, for more varied training.
        camera: Where it stands instead, `envs.cameras.viewpoint`:
            `{"azimuth": (52, 60)}`.
        robot: Which arm acts, by the name it is registered under.
        look: What the arm looks like: "primitive", or "mesh" with its maker's meshes;
            outcomes are the same, bit for bit.
        without: Kinds of things that never come, of those that the task names:
            `("saw", "ladle")` of `use_tool`.
        knowledge: What the policy is told beside the instruction; the scene is the
            same. "none", or what `policy.knowledge` finds more in.
        verify: Whether the expert's answer is executed, and the scene drawn again if it
            fails. Without it a scene is made twice as fast, for supervised data.
        draw: Which of the seed's draws to take, one that has been found usable, without
            trying it again; None takes the first that is. A scene's own configuration
            names its draw.

    Raises:
        ValueError: An unknown split, axis, colour, kind of waypoints, robot or look, a
            camera that cannot be, two colours that become one, a look that the robot
            does not have or whose extra is missing, or a seed or draw that is no whole
            number of at least 0.
    """

    name: str
    split: str = "train"
    seed: int = 0
    shifts: Sequence[str] = ()
    waypoints: str = "2d"
    colours: Mapping[str, str] | None = None
    stretched: Sequence[str] = ()
    camera: Viewpoint | None = field(default_factory=dict)
    robot: str = DEFAULT
    look: str = PRIMITIVE
    without: Sequence[str] = ()
    knowledge: str = UNTOLD
    verify: bool = True
    draw: int | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be, and brings equal things into one form."""
        check_axes(self.split, self.shifts, self.stretched)
        check_choice("waypoints", self.waypoints, WAYPOINTS)
        get_robot(self.robot)
        check_look(self.look, self.robot)
        _check_colours(self.colours or {})
        plain = {
            "seed": _read_whole("seed", self.seed),
            "draw": None if self.draw is None else _read_whole("draw", self.draw),
            "shifts": tuple(self.shifts),
            "colours": dict(self.colours or {}),
            "stretched": tuple(self.stretched),
            "without": tuple(self.without),
            "camera": read_viewpoint(self.camera),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    @property
    def where(self) -> str:
        """What it is, in words, for messages."""
        seen = f", camera {self.camera}" if self.camera else ""
        by = f", robot {self.robot!r}" if self.robot != DEFAULT else ""
        return f"scene {self.name!r}, split {self.split!r}, seed {self.seed}{seen}{by}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: what differs from the defaults, split and seed always.

        `SceneConfig(**plain)` makes the same again.
        """
        usual = SceneConfig(name=self.name)
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        kept = ("name", "split", "seed")
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if name in kept or value != getattr(usual, name)
        }


def _check_colours(colours: Mapping[str, str]) -> None:
    for colour in itertools.chain(*colours.items()):
        check_choice("colour", colour, tuple(PALETTE))
    for drawn in (COLOURS, HELD_OUT_COLOURS):
        shown = Counter(colours.get(colour, colour) for colour in drawn)
        if alike := [colour for colour, count in shown.items() if count > 1]:
            raise ValueError(f"colours={dict(colours)}: more than one is {alike[0]!r}")


def _read_whole(name: str, value: Any) -> int:
    """A whole number of at least 0, of Python's kind whatever its own."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise ValueError(f"{name} is {value!r}; valid: whole numbers")
    number = operator.index(value)
    if number < 0:
        raise ValueError(f"{name} is {number}; at least 0")
    return number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One sampled scene, at rest, with the arm at home.

    Attributes:
        config: What it was made from.
        task: The kind of scene.
        goal: What is asked.
        others: What could be asked instead.
        state: The model, and the snapshot from which every plan starts. Shared: never
            step it.
        first: The same at the start of the episode, before any turn: success is
            measured from there.
        observation: What the policy sees.
        seen: [H, W] id of the geom in each pixel of the image, -1 for none.
        reference: The expert's answer, None for a task without an expert.
    """

    config: SceneConfig
    task: Task
    goal: Goal
    others: tuple[Goal, ...]
    state: State
    first: State
    observation: Observation
    seen: NDArray[np.int16]
    reference: Reference | None

    @property
    def goals(self) -> tuple[Goal, ...]:
        """All that can be asked, what is asked first."""
        return self.goal, *self.others

    @property
    def name(self) -> str:
        """Registered name of its task."""
        return self.config.name

    @property
    def split(self) -> str:
        """One of "train", "test" and "ood"."""
        return self.config.split

    @property
    def seed(self) -> int:
        """The seed that it was sampled from."""
        return self.config.seed

    @property
    def where(self) -> str:
        """What the scene was sampled from, in words, for messages."""
        return self.config.where

    @property
    def model(self) -> mujoco.MjModel:
        """The compiled model."""
        return self.state.model

    @property
    def data(self) -> mujoco.MjData:
        """The snapshot from which every plan starts."""
        return self.state.data

    @property
    def instruction(self) -> str:
        """The task in words, as the policy reads it."""
        return self.observation.instruction

    @property
    def part_classes(self) -> tuple[str, ...]:
        """Names of the classes 1, 2, ... of `label_parts`."""
        return getattr(self.task, "part_classes", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureConfig:
    """Where an annotated image is from.

    Attributes:
        name: That of all annotated images, as a scene has one.
        split: "train" or "test".
        seed: Chose it.
        item: Its name in its set.
        category: Its category in its set.
    """

    name: str
    split: str
    seed: int
    item: str
    category: str = ""

    @property
    def where(self) -> str:
        """What it is, in words, for messages."""
        return f"image {self.item!r}, split {self.split!r}, seed {self.seed}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """An annotated image. Answers to it are compared, never executed.

    Attributes:
        config: Where it is from.
        observation: What the policy sees and is asked.
        reference: The annotation. Of what it lacks, box or path, nothing is asked.
    """

    config: PictureConfig
    observation: Question
    reference: Reference

    @property
    def name(self) -> str:
        """That of all annotated images."""
        return self.config.name

    @property
    def split(self) -> str:
        """One of "train" and "test"."""
        return self.config.split

    @property
    def seed(self) -> int:
        """The seed that chose it."""
        return self.config.seed

    @property
    def instruction(self) -> str:
        """The task in words."""
        return self.observation.instruction


AnyScene = Scene | Picture
"""What a policy can be asked about."""


def observe(state: State, instruction: str, waypoints: str = "2d") -> Observation:
    """What the policy sees of a state."""
    return Observation(
        image=render.render(state, CAMERA, IMAGE_SIZE, IMAGE_SIZE),
        camera=read_camera(state, CAMERA, IMAGE_SIZE, IMAGE_SIZE),
        instruction=instruction,
        waypoints=waypoints,
    )


def segment(state: State) -> NDArray[np.int16]:
    """[H, W] id of the geom in each pixel of the image, -1 for none."""
    geoms = render.render_geoms(state, CAMERA, IMAGE_SIZE, IMAGE_SIZE)
    return geoms.astype(np.int16)
