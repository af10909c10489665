"""A camera of one's own: the same scenes, seen from where it stands."""

import numpy as np
import pytest

import envs
from envs.cameras.camera import project
from envs.cameras.viewpoint import CENTRE, LIMITS, read_viewpoint
from envs.records import Camera
from policy.rollout.scene_source import SceneSource


def measure(camera: Camera) -> dict[str, float]:
    """Returns where a camera stands, from its calibration alone."""
    away = camera.T_world_camera[:3, 3] - CENTRE
    distance = float(np.linalg.norm(away))
    return {
        "azimuth": float(np.rad2deg(np.arctan2(away[1], away[0]))),
        "elevation": float(np.rad2deg(np.arcsin(away[2] / distance))),
        "distance": distance,
        "fovy": float(np.rad2deg(2 * np.arctan(0.5 * camera.height / camera.K[1, 1]))),
    }


@pytest.mark.parametrize(
    "camera",
    [
        {"azimuth": (52, 60)},
        {"azimuth": -70, "elevation": 60},
        {"distance": [1.0, 1.1], "fovy": 30},
        {"elevation": 89},
    ],
)
def test_a_seed_is_the_same_scene_seen_from_elsewhere(camera: dict) -> None:
    usual = envs.make_scene("press_button", "test", 5)
    moved = envs.make_scene("press_button", "test", 5, camera=camera)
    stands, stood = measure(moved.observation.camera), measure(usual.observation.camera)
    for name in LIMITS:
        low, high = read_viewpoint(camera).get(name, [stood[name]] * 2)
        assert low - 1e-6 <= stands[name] <= high + 1e-6, name
    assert (moved.data.qpos == usual.data.qpos).all()
    assert moved.instruction == usual.instruction
    assert not (moved.observation.image == usual.observation.image).all()


@pytest.mark.parametrize("name", envs.scenes.__all__)
def test_experts_succeed_in_what_a_camera_shows_from_aside(name: str) -> None:
    scene = envs.make_scene(name, "test", 0, camera={"azimuth": (52, 60)})
    assert scene.reference is not None
    [outcome] = envs.simulate(scene, [scene.reference.to_plan()])
    assert outcome.success


@pytest.mark.parametrize("name", ["open_drawer", "close_drawer", "open_door"])
@pytest.mark.parametrize("azimuth", [0, 60, 125, -150])
def test_left_is_left_in_the_image_wherever_the_camera_stands(
    name: str, azimuth: float
) -> None:
    camera = {"azimuth": azimuth, "elevation": 70}
    for seed in range(6):
        scene = envs.make_scene(name, "test", seed, camera=camera, verify=False)
        across = {
            goal.thought.split()[0]: project(
                scene.observation.camera, scene.state.position(goal.part)[None]
            )[0, 0]
            for goal in scene.goals
        }
        if "left" in across:
            assert across["left"] == min(across.values()), seed
            assert across["right"] == max(across.values()), seed
            return
    raise AssertionError("no scene names sides")


def test_an_environment_shows_what_its_camera_sees() -> None:
    env = envs.ManipulationEnv("press_button", camera={"azimuth": 60})
    env.reset(seed=0)
    assert measure(env.scene.observation.camera)["azimuth"] == pytest.approx(60)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ({"yaw": 3}, "setting of the camera 'yaw'; valid: azimuth, elevation, "),
        ({"azimuth": (60, 50)}, r"azimuth is \(60, 50\); valid: .* -180 to 180"),
        ({"elevation": 0}, "elevation is 0; valid: .* 10 to 89"),
        ({"fovy": "wide"}, "fovy is 'wide'; valid: a number or "),
        ({"distance": [1, 2, 3]}, r"distance is \[1, 2, 3\]; valid: "),
    ],
)
def test_a_camera_that_cannot_be_is_refused_at_once(camera: dict, message: str) -> None:
    for make in (
        lambda: SceneSource(names=("pick_mug",), camera=camera),
        lambda: envs.ManipulationEnv("pick_mug", camera=camera),
    ):
        with pytest.raises(ValueError, match=message):
            make()
