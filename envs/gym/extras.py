"""What else an environment can observe, beside image and instruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.cameras.render import render_depth
from envs.cameras.viewpoint import CAMERA
from envs.robot import Robot
from envs.sampling.labels import label_parts, mark_target
from envs.scene import IMAGE_SIZE, Scene

SQUARE = (IMAGE_SIZE, IMAGE_SIZE)
FARTHEST = 50.0  # m: the camera's far plane
WIDEST = 7.0  # rad; no joint of an arm turns as far


class Extra(NamedTuple):
    """Something that can be observed.

    Attributes:
        make_space: Its space, from the task's class and the robot.
        read: It, from the scene.
    """

    make_space: Callable[[type, Robot], spaces.Space[Any]]
    read: Callable[[Scene], NDArray[Any]]


def _observe_depth(scene: Scene) -> NDArray[np.float32]:
    return np.minimum(render_depth(scene.state, CAMERA, *SQUARE), np.float32(FARTHEST))


def _observe_target(scene: Scene) -> NDArray[np.uint8]:
    return mark_target(scene).astype(np.uint8)


def _observe_arm(scene: Scene) -> NDArray[np.float32]:
    return scene.data.qpos[: scene.state.robot.size].astype(np.float32)


EXTRAS = {
    "depth": Extra(
        lambda task, robot: spaces.Box(0, FARTHEST, SQUARE, np.float32), _observe_depth
    ),
    "segmentation": Extra(
        lambda task, robot: spaces.Box(
            0, max(1, len(getattr(task, "part_classes", ()))), SQUARE, np.uint8
        ),
        label_parts,
    ),
    "target": Extra(
        lambda task, robot: spaces.Box(0, 1, SQUARE, np.uint8), _observe_target
    ),
    "proprioception": Extra(
        lambda task, robot: spaces.Box(-WIDEST, WIDEST, (robot.size,), np.float32),
        _observe_arm,
    ),
}
"""Depth along the optical axis in metres; the class of each pixel's part, 0 for none
and else its place in the task's `part_classes`, from 1; 1 where the part that is asked
for is seen, so that agents need not read; the angles of the arm's joints in rad and how
far each finger is open in metres."""
