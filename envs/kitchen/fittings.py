"""The parts of the kitchen: cut out of its file, sized to the table, and painted.

A real microwave is as wide as the image. All stand at about half their size, so that
the camera sees them whole and the hand closes around their handles.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import mujoco
import numpy as np

from envs.clutter import add_distractors, shade
from envs.meshes.extra import EXTRA, need_assets
from envs.mjcf import Mjcf, add_mjcf, split_part
from envs.objects import COLLIDE_WITH, OBJECT_GROUP
from envs.predicates import Execution
from envs.randomization.factors import Factors
from envs.randomization.tints import HELD_OUT, TRAINED
from envs.skills import Skill
from envs.world import Placement

__all__ = ["EXTRA"]

FOLDER = "kitchen_franka/kitchen_assets"
FACING = np.pi / 2  # rad: the kitchen's fronts then face the camera
GAP = 0.004  # m between the table and what stands on it, which must not rub
FINISHES = ("painted", "wood", "metal")
HELD_OUT_FINISHES = ("marble", "tile")
PICTURES = {"wood": "wood1", "metal": "metal1", "marble": "marble1", "tile": "tile1"}
TEXELS = 128  # a side of a face; an appliance is 150 pixels wide
BLOCKED = 0.05  # m, radius of the circles that keep other things away
KETTLE_MASS = 0.25  # kg: contacts are as stiff as things are heavy; 50 g gave way
LARGEST_FORCE = 250.0  # N on a finger; experts come to 50, in a few scenes to 170
# Upright bars: the fingers fit between the bar and the door behind it.
PULL_BAR = Skill(grips=True, opening=0.033, releases=False, plane="level")


def add_fixture(
    spec: mujoco.MjSpec, body: str, name: str, spot: tuple[float, ...], scale: float
) -> Any:
    """Adds a body of the kitchen, fastened to the table, its front to the camera.

    Args:
        spec: The scene; gets all finishes, so that scenes share a graphics context.
        body: Its name in the kitchen's file.
        name: Its name in the scene.
        spot: x and y of its origin [m], and z of what does not stand on the table.
        scale: Its size beside the file's.
    """
    source = Mjcf(_find_kitchen(), body=body, fixed=True, scale=scale)
    x, y, *z = spot
    added = add_mjcf(spec, source, name, x, y, FACING, *z)
    added.pos[2] += 0 if z else GAP
    finish(spec, added)
    return added


def add_kettle(
    spec: mujoco.MjSpec, name: str, pose: tuple[float, float, float], scale: float
) -> Any:
    """Adds the kettle, free to move, at x [m], y [m] and yaw [rad]."""
    source = Mjcf(_find_kitchen(), body="kettleroot", scale=scale)
    kettle = add_mjcf(spec, source, name, *pose)
    finish(spec, kettle)
    for geom in kettle.geoms:
        geom.margin = 0
        if geom.type == mujoco.mjtGeom.mjGEOM_BOX:
            geom.mass = KETTLE_MASS
    return kettle


def is_enamel(geom: Any) -> bool:
    """Whether a geom is a part of a kettle that takes a colour."""
    return is_shown(geom) and not geom.material


def _find_kitchen() -> Any:
    return need_assets("a kitchen scene") / FOLDER / "kitchen_env_model.xml"


def finish(spec: mujoco.MjSpec, body: Any) -> None:
    """Gives a body's geoms this file's finishes instead of those they came with."""
    _add_finishes(spec)
    prefix = f"{body.name}/"
    for geom in body.find_all(mujoco.mjtObj.mjOBJ_GEOM):
        kind = geom.material.rpartition("_")[2]
        old = spec.material(geom.material)
        geom.material = f"finish/{kind}" if kind in PICTURES else ""
        if kind not in PICTURES and old is not None:
            geom.rgba = old.rgba
    for asset in [*spec.materials, *spec.textures]:
        if asset.name.startswith(prefix):
            spec.delete(asset)


def _add_finishes(spec: mujoco.MjSpec) -> None:
    if spec.material("finish/wood") is not None:
        return
    for name in PICTURES:
        texture = spec.add_texture(name=f"finish/{name}")
        texture.type = mujoco.mjtTexture.mjTEXTURE_CUBE
        texture.width = texture.height = TEXELS
        texture.nchannel = 3
        texture.data = _read_picture(name)
        material = spec.add_material(name=f"finish/{name}", texrepeat=(3, 3))
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture.name


@cache
def _read_picture(name: str) -> bytes:
    from PIL import Image  # slow to load, and seldom needed

    path = need_assets("a kitchen scene") / FOLDER / f"textures/{PICTURES[name]}.png"
    with Image.open(path) as picture:
        return picture.convert("RGB").resize((TEXELS, TEXELS)).tobytes()


def paint(factors: Factors, geoms: Iterable[Any]) -> None:
    """Gives shown geoms one of the finishes, tinted in a colour of the split."""
    kind = factors.choice("colour", FINISHES, HELD_OUT_FINISHES)
    colour = np.array(shade(factors, factors.choice("colour", TRAINED, HELD_OUT)))
    if kind != "painted":
        colour = 0.45 + 0.55 * colour  # a tint: the picture stays to be seen
    for geom in geoms:
        geom.material = f"finish/{kind}" if kind != "painted" else ""
        geom.rgba = (*colour, 1)


def turn(body: Any, quat: tuple[float, float, float, float]) -> None:
    """Turns a body against the way its file has it, about its own axes."""
    angle = body.alt.euler  # the kitchen's file turns about one axis at a time
    usual = np.empty(4)
    mujoco.mju_euler2Quat(usual, np.array(angle), "xyz")
    turned = np.empty(4)
    mujoco.mju_mulQuat(turned, usual, np.array(quat))
    body.quat, body.alt.type = turned, mujoco.mjtOrientation.mjORIENTATION_QUAT


def harden(geoms: Iterable[Any]) -> None:
    """Lets geoms that are only to look at collide, too."""
    for geom in geoms:
        geom.contype, geom.conaffinity = OBJECT_GROUP, COLLIDE_WITH


def is_shown(geom: Any) -> bool:
    """Whether cameras see a geom; the others are to collide with."""
    return geom.group < 3


def is_handle(geom: Any) -> bool:
    """Whether a geom of a door is its handle: all that is round."""
    kinds = mujoco.mjtGeom
    return geom.type in (kinds.mjGEOM_CYLINDER, kinds.mjGEOM_CAPSULE)


def thicken(geoms: Iterable[Any], times: float) -> None:
    """Makes round bars thicker, not longer."""
    for geom in geoms:
        geom.size[0] *= times


def loosen(joint: Any, name: str, friction: float, damping: float) -> None:
    """Names a joint and sets what it resists with [N or N m, and per m/s or rad/s]."""
    joint.name = name
    joint.frictionloss, joint.armature = friction, 0.001
    joint.damping = (damping, 0, 0)


def prepare_door(
    spec: mujoco.MjSpec, file_name: str, name: str, thick: float, resists: Any
) -> Any:
    """Names a door and its joint, and makes its bar the part `<name>/handle`.

    Args:
        spec: The scene.
        file_name: The door's body, as it came.
        name: As it is called from now on.
        thick: How many times as thick as in the file its bar is.
        resists: Friction and damping of its joint; see `loosen`.
    """
    door = spec.body(file_name)
    door.name = name
    loosen(door.joints[0], name, *resists)
    bar = [geom for geom in door.geoms if is_handle(geom)]
    bar.sort(key=lambda geom: abs(geom.pos[2]))  # the bar, then its posts
    thicken(bar, thick)
    split_part(spec, door, f"{name}/handle", bar)
    return door


def keep_apart(spec: mujoco.MjSpec, *bodies: str) -> None:
    """Lets each of the bodies pass through the others: closed doors rub everywhere."""
    for i, one in enumerate(bodies):
        for other in bodies[:i]:
            spec.add_exclude(bodyname1=one, bodyname2=other)


def forced(run: Execution) -> bool:
    """Whether the hand rammed something: what it opened so would have broken."""
    return max(run.peak_forces.values()) > LARGEST_FORCE


def scatter(
    spec: mujoco.MjSpec, factors: Factors, rows: Iterable[float], y: float, half: float
) -> list[str]:
    """Adds other things around a fitting; returns their bodies.

    Args:
        spec: The scene.
        factors: Draws them.
        rows: Each x at which nothing stands from y - half to y + half [m].
        y: The fitting's middle [m].
        half: Half its width [m].
    """
    low, high = y - half, y + half
    along = np.linspace(low, high, int(np.ceil((high - low) / BLOCKED)) + 1)
    place = Placement(factors.rng, area=((0.40, 0.68), (-0.21, 0.21)))
    place.block([(x, float(beside), BLOCKED) for x in rows for beside in along])
    return add_distractors(spec, factors, place)
