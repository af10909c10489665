"""The camera: project and lift are inverses, and agree with the renderer."""

import mujoco
import numpy as np
import pytest

from envs.cameras.camera import intersect_plane, look_at, project, rays
from envs.cameras.render import render, render_depth, render_geoms
from envs.cameras.view import View
from envs.cameras.viewpoint import CAMERA
from envs.records import Camera
from envs.sampling.sample import draw_scene
from envs.scene import Scene, SceneConfig
from envs.state import State


@pytest.fixture(scope="module")
def scene():
    """One sampled scene."""
    found = draw_scene(SceneConfig(name="pick_mug", seed=1))
    assert isinstance(found, Scene)
    return found


def test_points_lifted_to_the_surface_project_back_to_their_pixel(scene):
    camera = scene.observation.camera
    point = np.random.default_rng(0).uniform(0.05, 0.95, (200, 2))
    surface = View(scene.state, camera).cast(point)
    seen = np.isfinite(surface).all(axis=1)
    assert seen.mean() > 0.9
    np.testing.assert_allclose(
        project(camera, surface[seen]), point[seen], atol=1e-9, rtol=0
    )


def test_known_world_points_are_lifted_within_a_tenth_of_a_millimetre(scene):
    camera = scene.observation.camera
    corners = np.array([[0.45, -0.1, 0.0], [0.6, 0.12, 0.0], [0.5, 0.0, 0.0]])
    lifted = intersect_plane(
        camera, project(camera, corners), np.zeros(3), np.array([0, 0, 1.0])
    )
    np.testing.assert_allclose(lifted, corners, atol=1e-4)


def test_rays_agree_with_the_depth_image(scene):
    camera = scene.observation.camera
    depth = render_depth(scene.state, CAMERA, camera.width, camera.height)
    rows, columns = np.mgrid[8:224:16, 8:224:16]
    point = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    point /= (camera.width, camera.height)
    surface = View(scene.state, camera).cast(point)
    along = (surface - camera.T_world_camera[:3, 3]) @ camera.T_world_camera[:3, 2]
    error = np.abs(along - depth[rows.ravel(), columns.ravel()])
    assert np.nanmedian(error) < 1e-4


def test_segmentation_shows_what_the_rays_hit(scene):
    camera = scene.observation.camera
    geoms = render_geoms(scene.state, CAMERA, camera.width, camera.height)
    assert (geoms == scene.seen).all()
    bodies = np.append(scene.model.geom_bodyid, -1)[geoms]
    part = scene.model.body(scene.goal.part).id
    assert (bodies == part).sum() > 50


@pytest.mark.parametrize("size", [(224, 224), (640, 480), (320, 448)])
def test_a_wide_or_tall_image_keeps_the_centre_on_the_optical_axis(size):
    width, height = size
    position, target = np.array([1.2, 0.3, 0.7]), np.array([0.5, 0.0, 0.0])
    axes = np.array(look_at(position, target)).reshape(2, 3)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1] = axes[0], -axes[1]
    pose[:3, 2] = np.cross(pose[:3, 0], pose[:3, 1])
    pose[:3, 3] = position
    K = np.array([[500, 0, width / 2], [0, 500, height / 2], [0, 0, 1.0]])
    camera = Camera(width=width, height=height, K=K, T_world_camera=pose)
    np.testing.assert_allclose(project(camera, target[None])[0], [0.5, 0.5])
    direction = rays(camera, np.array([[0.5, 0.5]]))[0]
    np.testing.assert_allclose(
        direction, (target - position) / np.linalg.norm(target - position)
    )


def test_a_ray_that_misses_the_plane_is_nan_not_a_point_behind_the_camera(scene):
    camera = scene.observation.camera
    above = camera.T_world_camera[:3, 3] + np.array([0, 0, 1.0])
    lifted = intersect_plane(
        camera, np.array([[0.5, 0.5]]), above, np.array([0, 0, 1.0])
    )
    assert np.isnan(lifted).all()


HALVES = np.repeat([[[255, 0, 0], [0, 0, 255]]], 2, axis=0).astype(np.uint8)
SQUARE = "-1 -1 0  1 -1 0  1 1 0  -1 1 0"
PYRAMID = SQUARE + "  0 0 -1"


def paint(asset: str, geom: str) -> np.ndarray:
    """[3] mean colour of what a camera sees that looks down at a geom or a skin."""
    spec = mujoco.MjSpec.from_string(
        f"""<mujoco><statistic extent="3"/><visual><headlight ambient="1 1 1"/></visual>
        <asset><texture name="t" type="2d" builtin="flat" width="2" height="2"/>
        <material name="t" texture="t" texuniform="false"/>{asset}</asset><worldbody>
        <camera name="above" pos="0 0 3"/><body name="b">{geom}</body>
        </worldbody></mujoco>"""
    )
    spec.textures[0].builtin, spec.textures[0].data = 0, HALVES.tobytes()
    model = spec.compile()
    state = State(model, mujoco.MjData(model))
    mujoco.mj_forward(model, state.data)
    return render(state, "above", 64, 64).astype(float)[24:40, 24:40].mean(axis=(0, 1))


def test_meshes_alike_but_for_what_is_painted_on_them_are_seen_in_their_own_colours():
    def paint_mesh(u: float) -> np.ndarray:
        points = " ".join([f"{u} 0.5"] * 5)
        return paint(
            f"<mesh name='m' inertia='shell' vertex='{PYRAMID}' "
            f"face='0 1 2 0 2 3 1 0 4 2 1 4 3 2 4 0 3 4' texcoord='{points}'/>",
            "<geom type='mesh' mesh='m' material='t'/>",
        )

    left, right = paint_mesh(0.2), paint_mesh(0.8)
    assert left[0] > 2 * left[2] and right[2] > 2 * right[0]


def test_a_skin_is_seen_after_scenes_without_one():
    """It used to be drawn from buffers that a context without skins does not have."""
    plain = "<geom size='0.01'/>"
    before = paint("", plain)
    bone = "<bone body='b' bindpos='0 0 0' bindquat='1 0 0 0' vertid='0 1 2 3' "
    skin = (
        f"<skin name='s' rgba='0 1 0 1' vertex='{SQUARE}' face='0 1 2 0 2 3'>"
        f"{bone} vertweight='1 1 1 1'/></skin>"
    )
    after = paint(skin, plain)
    assert after[1] > before[1] + 50


def test_a_scene_of_many_things_is_seen_whole():
    spec = mujoco.MjSpec()
    spec.worldbody.add_camera(name="above", pos=(0, 0, 3))
    for i in range(2500):
        x, y = divmod(i, 50)
        place = (0.04 * x - 1, 0.04 * y - 1, 0)
        spec.worldbody.add_geom(size=(0.02, 0, 0), pos=place)
    model = spec.compile()
    state = State(model, mujoco.MjData(model))
    mujoco.mj_forward(model, state.data)
    seen = np.unique(render_geoms(state, "above", 400, 400))
    assert seen.max() == 2499 and len(seen) > 2400


def test_height_fields_of_the_same_shape_are_seen_in_their_own_size():
    def count_pixels(side: float) -> int:
        spec = mujoco.MjSpec()
        spec.add_hfield(name="hill", nrow=2, ncol=2, size=(side, side, 0.1, 0.1))
        spec.hfields[0].userdata = [0.0, 1.0, 1.0, 0.0]
        kind = mujoco.mjtGeom.mjGEOM_HFIELD
        spec.worldbody.add_geom(type=kind, hfieldname="hill")
        spec.worldbody.add_camera(name="above", pos=(0, 0, 3))
        model = spec.compile()
        state = State(model, mujoco.MjData(model))
        mujoco.mj_forward(model, state.data)
        return int((render_geoms(state, "above", 64, 64) == 0).sum())

    large, small = count_pixels(0.8), count_pixels(0.4)
    assert small == pytest.approx(large / 4, rel=0.2)
