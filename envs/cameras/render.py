"""Images of a scene: colour, segmentation and depth, with one reused GL context.

A new GL context costs 35-90 ms and a MuJoCo render context 10 ms more, a 224 x 224
image 2 ms. A render context holds only textures, meshes, skins and height fields, so
every model without assets of its own can share one; models with assets get their own.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import local

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.cameras.gl import check_process, open_context
from envs.cameras.quality import drawing_at
from envs.meshes.cover import show_cover
from envs.state import State

MAX_SIZE = 1024  # pixels, an image's longest side: size of the off-screen buffer
MAX_CONTEXTS = 4  # for models with assets; each holds its textures in memory
# What a render context may hold a copy of, or count; not what a scene's draw changes.
HELD = ("tex_", "mesh_", "skin_", "hfield_")
NOT_HELD = ("pathadr", "rgba", "matid", "group")
ASSETS = tuple(
    name
    for name in dir(mujoco.MjModel)
    if name.startswith(HELD) and not name.endswith(NOT_HELD)
)
_thread = local()  # a GL context belongs to the thread that made it


def render(
    state: State,
    camera: str | mujoco.MjvCamera,
    width: int,
    height: int,
) -> NDArray[np.uint8]:
    """[H, W, 3] colour image from a camera of the model, by its name, or from any."""
    scene = _update(state, camera)
    image = np.empty((height, width, 3), np.uint8)
    _draw(state.model, scene, image, None)
    return image[::-1].copy()


def render_geoms(
    state: State, camera_name: str, width: int, height: int
) -> NDArray[np.int32]:
    """[H, W] id of the geom seen in each pixel, -1 where there is none."""
    scene = _update(state, camera_name)
    scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = 1
    scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = 1
    image = np.empty((height, width, 3), np.uint8)
    _draw(state.model, scene, image, None)
    red, green, blue = np.moveaxis(image.astype(np.int32), 2, 0)
    segment = red | green << 8 | blue << 16
    owner = np.full(scene.ngeom + 1, -1, np.int32)
    for geom in scene.geoms[: scene.ngeom]:
        if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
            owner[geom.segid + 1] = geom.objid
    return owner[segment][::-1].copy()


def render_depth(
    state: State, camera_name: str, width: int, height: int
) -> NDArray[np.float32]:
    """[H, W] depth along the optical axis in metres."""
    scene, model = _update(state, camera_name), state.model
    image = np.empty((height, width, 3), np.uint8)
    depth = np.empty((height, width), np.float32)
    _draw(model, scene, image, depth)
    near = model.vis.map.znear * model.stat.extent
    far = model.vis.map.zfar * model.stat.extent
    # The buffer is reversed: 1 at the near plane, 0 at infinity.
    return (near / (1 - depth * (1 - near / far)))[::-1].copy()


def _update(state: State, camera: str | mujoco.MjvCamera) -> mujoco.MjvScene:
    model = state.model
    # Room for every geom and the lights' and joints' decoration.
    scene = mujoco.MjvScene(model, 2 * model.ngeom + 50)
    view = _fix(model, camera) if isinstance(camera, str) else camera
    option = mujoco.MjvOption()
    option.sitegroup[:] = 0
    show_cover(model, option)
    category = mujoco.mjtCatBit.mjCAT_ALL
    mujoco.mjv_updateScene(model, state.data, option, None, view, category, scene)
    scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
    scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
    return scene


def _fix(model: mujoco.MjModel, name: str) -> mujoco.MjvCamera:
    view = mujoco.MjvCamera()
    view.type = mujoco.mjtCamera.mjCAMERA_FIXED
    view.fixedcamid = model.camera(name).id
    return view


def _draw(
    model: mujoco.MjModel,
    scene: mujoco.MjvScene,
    image: NDArray[np.uint8],
    depth: NDArray[np.float32] | None,
) -> None:
    context = _context(model)
    # Anew each time: another context may have bound its own buffer since.
    mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
    height, width = image.shape[:2]
    viewport = mujoco.MjrRect(0, 0, width, height)
    mujoco.mjr_render(viewport, scene, context)
    mujoco.mjr_readPixels(image, depth, viewport, context)


def _context(model: mujoco.MjModel) -> mujoco.MjrContext:
    check_process()
    if not hasattr(_thread, "gl"):
        _thread.gl = open_context(MAX_SIZE, MAX_SIZE)
        _thread.contexts = OrderedDict()
    _thread.gl.make_current()
    contexts: OrderedDict = _thread.contexts
    key = _asset_key(model)
    if key not in contexts:
        contexts[key] = _make_context(model)
    contexts.move_to_end(key)
    if len(contexts) > MAX_CONTEXTS:
        contexts.popitem(last=False)[1].free()
    return contexts[key]


def _make_context(model: mujoco.MjModel) -> mujoco.MjrContext:
    with drawing_at(model, samples=0):  # halves the time of an image on a CPU
        return mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)


def _asset_key(model: mujoco.MjModel) -> int:
    """Equal for models whose assets are equal, so that they share a context."""
    return hash(tuple(getattr(model, name).tobytes() for name in ASSETS))
