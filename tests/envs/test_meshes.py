"""The arm in its maker's meshes: another picture of the same thing."""

from __future__ import annotations

import numpy as np
import pytest

import envs
from envs.execution.compare import make_plans
from envs.meshes import cover, extra
from envs.meshes.simplify import merge_vertices, read_stl, write_stl
from envs.scene import SceneConfig
from policy.rollout.scene_source import SceneSource

needs_meshes = pytest.mark.skipif(not extra.find_assets(), reason="no graspo[meshes]")
NAMES = ("pick_mug", "open_door", "press_button", "push_to_target", "fold_cloth")


@needs_meshes
@pytest.mark.parametrize("name", NAMES)
def test_outcomes_are_the_same_bit_for_bit(name: str) -> None:
    plain, dressed = (
        envs.make_scene(name, "test", 1, look=look) for look in cover.LOOKS
    )
    plans = make_plans(plain, 0)
    assert dressed.reference == plain.reference
    assert envs.simulate(dressed, plans) == envs.simulate(plain, plans)
    weighed = [s.model.body_mass[s.model.body_mass > 0] for s in (plain, dressed)]
    np.testing.assert_array_equal(*weighed)


@needs_meshes
def test_rays_meet_the_shapes_under_the_meshes() -> None:
    aside = {"azimuth": 170.0, "elevation": 40}  # from behind the arm
    plain, dressed = (
        envs.make_scene("pick_mug", "test", 1, look=look, camera=aside, verify=False)
        for look in cover.LOOKS
    )
    box = [(0.0, 0.0, 1.0, 1.0)]
    seen = [
        envs.cameras.view.View(s.state, s.observation.camera).cast_boxes(box)[0]
        for s in (plain, dressed)
    ]
    np.testing.assert_array_equal(*seen)
    different = plain.observation.image != dressed.observation.image
    assert 0.02 < different.any(axis=2).mean() < 0.9  # the arm is seen, and changed


@needs_meshes
def test_a_suite_refuses_scenes_that_look_otherwise() -> None:
    source = SceneSource(names=("pick_mug",), split="test", look="mesh")
    with pytest.raises(ValueError, match="look=mesh: a suite has look=primitive"):
        source.check_frozen()
    assert source.choose(3).to_dict()["look"] == "mesh"


def test_near_vertices_merge_and_a_shell_keeps_one_side(tmp_path) -> None:
    corners = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0.1, 0, 0]], np.float32)
    flat = corners[[[0, 1, 2], [2, 1, 0], [0, 3, 2]]] + np.float32(20)
    [kept] = merge_vertices(flat, 1.0)  # one of two sides; the sliver is gone
    write_stl(tmp_path / "a.stl", kept[None])
    np.testing.assert_allclose(read_stl(tmp_path / "a.stl")[0], kept, atol=1e-5)
    assert kept.sum(axis=1).min() == pytest.approx(60.025, abs=1e-3)


def test_meshes_of_one_name_stay_those_of_their_robot(tmp_path) -> None:
    for size, robot in enumerate(("one", "other"), start=1):
        (tmp_path / robot).mkdir()
        write_stl(tmp_path / robot / "link0.stl", size * np.eye(3)[None])
    folders = [cover._simplify(tmp_path / robot) for robot in ("one", "other")]
    sizes = [read_stl(folder / "link0.stl").max() for folder in folders]
    assert sizes == [1, 2]


def test_without_the_extra_one_line_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(extra, "find_assets", lambda: None)
    with pytest.raises(ValueError, match=r"look=mesh .* pip install 'graspo\[meshes"):
        SceneConfig(name="pick_mug", look="mesh")
    with pytest.raises(ValueError, match="unknown look 'x'; valid: primitive, mesh"):
        SceneConfig(name="pick_mug", look="x")
    with pytest.raises(ValueError, match="robot with look=mesh 'ur5e'; valid: panda"):
        SceneConfig(name="pick_mug", look="mesh", robot="ur5e")
