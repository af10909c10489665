"""What Graspo must know of an arm with two fingers; all else is in its own folder.

Its base is at the world's origin, its tool points down at what it does on the table,
and in a model its bodies are named `arm/...`. Its joints come first there, then its two
fingers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.meshes.cover import ArmMeshes

TIP = 0.01  # m from the tool's centre, between the fingers, to the end of the fingers
FINGERS = ("arm/left_finger", "arm/right_finger")  # bodies, and the joints of the same
TOOL = "arm/tool"  # site

Forward = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Solve = Callable[
    [NDArray[np.float64], NDArray[np.float64]],
    tuple[NDArray[np.float64], NDArray[np.bool_]],
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gripper:
    """Two fingers that close evenly.

    Attributes:
        opening: Largest distance between the fingers [m].
        width: Of a finger, across the direction in which it closes [m].
        squeeze: Half the opening to which fingers that hold are sent [m]: below 0, so
            that they press, with about 25 N.
    """

    opening: float
    width: float
    squeeze: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Robot:
    """An arm with a gripper.

    Attributes:
        name: What `robot=` calls it.
        joints: Names of the arm's N joints.
        low: [N] least joint positions [rad].
        high: [N] largest joint positions [rad].
        home: [N] joint positions [rad] at which scenes are seen: the tool is over the
            table's near edge, and the scene's camera sees of the arm but its foot.
        gripper: Its fingers.
        add: Adds it to a spec, with N + 1 actuators: first those that take the joints'
            positions [rad], then one that takes half the opening [m].
        forward: [M, N] joint positions to [M, 4, 4] poses of the tool in the world: x
            along the fingers' width, y along the direction in which they close, z out
            of the hand.
        solve: [M, 3] positions of the tool [m] and [M] directions in which the fingers
            close, in -pi..0 about world z [rad], to [M, N] joint positions at which the
            tool is there and points straight down, and [M] whether it is. What is
            solved for one target does not depend on the others, and moves little where
            the target moves little.
        meshes: What it wears with `look=mesh`; None if there is nothing.
    """

    name: str
    joints: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    home: NDArray[np.float64]
    gripper: Gripper
    add: Callable[[mujoco.MjSpec], None]
    forward: Forward
    solve: Solve
    meshes: ArmMeshes | None = None

    @property
    def size(self) -> int:
        """How many positions, of arm and fingers, come first in a model."""
        return len(self.joints) + len(FINGERS)
