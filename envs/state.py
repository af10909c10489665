"""A model together with one state of it: what experts and cameras read."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.robot import Robot, find_robot

# The half size that stands upright in an unturned geom; a box has three half sizes.
_UPRIGHT = {
    mujoco.mjtGeom.mjGEOM_SPHERE: 0,
    mujoco.mjtGeom.mjGEOM_CAPSULE: 1,
    mujoco.mjtGeom.mjGEOM_CYLINDER: 1,
}


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A model and a state of it, kinematics computed.

    What is asked for by a body's name comes as a copy, in the world's frame. An unknown
    name raises a KeyError that lists the valid ones.

    Attributes:
        model: The compiled model.
        data: Its state. Often shared: never step it.
    """

    model: mujoco.MjModel
    data: mujoco.MjData

    @property
    def robot(self) -> Robot:
        """The arm that is in the model."""
        return find_robot(self.model)

    def position(self, body: str) -> NDArray[np.float64]:
        """[3] a body's origin [m]."""
        return self.data.body(body).xpos.copy()

    def axes(self, body: str) -> NDArray[np.float64]:
        """[3, 3] a body's axes, one a column."""
        return self.data.body(body).xmat.reshape(3, 3).copy()

    def geoms(self, body: str) -> NDArray[np.int64]:
        """[N] ids of a body's own geoms, those of its parts left out."""
        first, count = (
            self.model.body(body).geomadr[0],
            self.model.body(body).geomnum[0],
        )
        return np.arange(first, first + count)

    def middle(self, body: str, geom: int = 0) -> NDArray[np.float64]:
        """[3] the middle of one of a body's geoms [m]."""
        return self.data.geom_xpos[self.geoms(body)[geom]].copy()

    def size(self, body: str, geom: int = 0) -> NDArray[np.float64]:
        """[3] half sizes of one of a body's geoms, as MuJoCo orders them [m]."""
        return self.model.geom_size[self.geoms(body)[geom]].copy()

    def top(self, body: str, geom: int = 0) -> NDArray[np.float64]:
        """[3] the middle of the upper side of one of a body's upright geoms [m]."""
        kind = mujoco.mjtGeom(self.model.geom_type[self.geoms(body)[geom]])
        half = self.size(body, geom)[_UPRIGHT.get(kind, 2)]
        return self.middle(body, geom) + np.array([0, 0, half])
