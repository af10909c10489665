"""A square of cloth that lies on the table: a flex of point masses.

Its edges keep their lengths by constraints, so it needs neither elasticity, which would
ask for another integrator, nor a smaller time step, and it sleeps until it is touched.
It meets the table alone, and that by a limit of each point's height: with contacts a
step takes 60 % longer, and with contacts between its layers up to six times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.randomization.colours import Colour

COUNT = 7  # vertices along a side: a step takes 100 us; with 5 half, but it looks stiff
LEVEL = 0.002  # m above the table at which the cloth lies
RADIUS = 0.0008  # m, half the cloth's thickness
WEIGHT = 0.8  # kg/m^2, a heavy felt: 20 g for 16 cm
# Time constant [s] and damping ratio of the edges: with 0.02 the cloth stands in folds
# like paper, with 0.05 it stretches like dough.
EDGES = (0.03, 1.0)
TEXELS = 64  # a side of the weave
CHECK, HEM = 8, 3  # texels: of a check, and of the light rim


@dataclass(frozen=True, slots=True, kw_only=True)
class ClothShape:
    """Where a cloth lies.

    Attributes:
        x: Where its middle is along x [m].
        y: Where its middle is along y [m].
        yaw: Its turn [rad].
        side: Its length [m].
    """

    x: float
    y: float
    yaw: float
    side: float

    def locate(self, i: float, j: float) -> tuple[float, float]:
        """World (x, y) of what lies i and j sides of the cloth off its middle."""
        c, s = np.cos(self.yaw) * self.side, np.sin(self.yaw) * self.side
        return self.x + c * i - s * j, self.y + s * i + c * j


def add_cloth(
    spec: mujoco.MjSpec,
    shape: ClothShape,
    colour: Colour,
    fastened: Mapping[tuple[int, int], str],
) -> None:
    """Adds the bodies and the flex of a cloth.

    Args:
        spec: The scene.
        shape: Where it lies.
        colour: The colour of both sides.
        fastened: Row and column of a vertex to the body that is to be there; the body
            must have its origin at that vertex.
    """
    grid = [(i, j) for i in range(COUNT) for j in range(COUNT)]
    bodies = [fastened.get(at) or _add_vertex(spec, shape, *at) for at in grid]
    flex = spec.add_flex(
        name="cloth",
        dim=2,
        radius=RADIUS,
        vertbody=bodies,
        elem=_list_triangles(),
        contype=0,
        conaffinity=0,
        selfcollide=mujoco.mjtFlexSelf.mjFLEXSELF_NONE,
    )
    flex.material = _add_weave(spec, colour)
    flex.vert = [0.0] * (3 * len(bodies))  # all at their bodies' origins
    flex.texcoord = (np.array(grid) / (COUNT - 1)).ravel().tolist()
    edges = spec.add_equality(type=mujoco.mjtEq.mjEQ_FLEX, name1=flex.name)
    edges.solref = EDGES


def to_vertex(share: float) -> int:
    """Row or column of the vertex at a share -1..1 of half a side."""
    return round((share + 1) / 2 * (COUNT - 1))


def _add_vertex(spec: mujoco.MjSpec, shape: ClothShape, i: int, j: int) -> str:
    """Adds a point mass that stays above the table and returns its body's name."""
    x, y = shape.locate(i / (COUNT - 1) - 0.5, j / (COUNT - 1) - 0.5)
    body = spec.worldbody.add_body(
        name=f"cloth/{i}_{j}",
        pos=(x, y, LEVEL),
        mass=WEIGHT * shape.side**2 / COUNT**2,
        inertia=(1e-8,) * 3,
        explicitinertial=True,
    )
    slide = mujoco.mjtJoint.mjJNT_SLIDE
    body.add_joint(type=slide, axis=(1, 0, 0))
    body.add_joint(type=slide, axis=(0, 1, 0))
    body.add_joint(type=slide, axis=(0, 0, 1), limited=True, range=(0, 1))
    return body.name


def _add_weave(spec: mujoco.MjSpec, colour: Colour) -> str:
    """Adds a chequered material with a rim and returns its name."""
    texture = spec.add_texture(
        name="weave",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=TEXELS,
        height=TEXELS,
        nchannel=3,
    )
    texture.data = _paint_weave().tobytes()
    weave = spec.add_material(name="weave", rgba=(*colour, 1), specular=0, shininess=0)
    weave.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "weave"
    return weave.name


@cache
def _paint_weave() -> NDArray[np.uint8]:
    """[TEXELS, TEXELS, 3] two shades of grey where threads cross, white at the rim.

    The same for all cloths: so their models share a render context.
    """
    at = np.arange(TEXELS)
    light = at // (CHECK // 2) % 2
    shade = 0.8 + 0.07 * (light[:, None] + light)
    inner = (at >= HEM) & (at < TEXELS - HEM)
    shade[~(inner[:, None] & inner)] = 1
    return np.repeat((255 * shade).astype(np.uint8)[..., None], 3, axis=2)


def _list_triangles() -> list[int]:
    """Vertex ids of the triangles; their long sides alternate, so no way bends best."""
    a, b, c, d = _corners_of_cells()
    even = np.indices((COUNT - 1, COUNT - 1)).sum(axis=0).ravel() % 2 == 0
    first = np.where(even, [a, b, c], [a, b, d])
    second = np.where(even, [a, c, d], [b, c, d])
    return np.concatenate([first, second], axis=1).T.ravel().tolist()


def _corners_of_cells() -> NDArray[np.int64]:
    """[4, cells] vertex ids around each cell of the grid."""
    at = np.arange(COUNT**2).reshape(COUNT, COUNT)
    around = (at[:-1, :-1], at[1:, :-1], at[1:, 1:], at[:-1, 1:])
    return np.stack([corner.ravel() for corner in around])
