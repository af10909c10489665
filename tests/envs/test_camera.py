"""The camera: project and lift are inverses, and agree with the renderer."""

import mujoco
import numpy as np
import pytest

from envs.cameras.camera import intersect_plane, look_at, project, rays
from envs.cameras.render import render_depth, render_geoms
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
