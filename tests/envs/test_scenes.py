"""Every registered scene keeps the contract."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import pytest
from commands import ROOT
from gymnasium.utils.env_checker import check_env

import envs
from envs.registry import name_env
from envs.sampling.measurements import measure_expert, measure_honesty, measure_recovery
from envs.testing import check_scene

BUILT_IN = sorted(envs.scenes.__all__)
each_scene = pytest.mark.parametrize("name", BUILT_IN)
each_split = pytest.mark.parametrize("split", ["train", "ood"])


@each_scene
def test_the_scene_keeps_the_contract(name: str) -> None:
    check_scene(name, n=3)


@each_scene
def test_gymnasium_finds_nothing_to_warn_of(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(name_env(name), render_mode="rgb_array")
        check_env(env.unwrapped)
        env.close()


@each_scene
@each_split
def test_the_expert_succeeds_before_filtering(name: str, split: str) -> None:
    share, count = measure_expert(name, split, 20)
    assert count >= 12
    assert share >= 0.9


@each_scene
def test_the_expert_succeeds_with_heights(name: str) -> None:
    assert measure_expert(name, "train", 10, "3d")[0] >= 0.9


@each_scene
def test_box_and_path_matter(name: str) -> None:
    assert min(measure_honesty(name, 6).values()) >= 0.6


@each_scene
def test_a_second_try_can_succeed(name: str) -> None:
    share, count = measure_recovery(name, 8)
    assert count >= 4
    assert share >= 0.7


def test_another_process_builds_the_same_scenes_bit_for_bit() -> None:
    folders = [str(ROOT / "tests"), str(Path(__file__).parent)]
    code = (
        f"import sys; sys.path += {folders}; import test_scenes as t; "
        f"print(*t.fingerprint({BUILT_IN}))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == fingerprint(BUILT_IN)


def fingerprint(names: list[str]) -> list[str]:
    """A hash of the image and of what two answers come to, for each scene."""
    hashes = []
    for name in names:
        scene = envs.make_scene(name, "test", seed=5)
        assert scene.reference is not None
        plan = scene.reference.to_plan()
        outcomes = repr(envs.simulate(scene, [plan, plan]))
        content = scene.observation.image.tobytes() + outcomes.encode()
        hashes.append(hashlib.sha256(content).hexdigest())
    return hashes


@pytest.mark.slow
@each_scene
@each_split
def test_the_bars_of_the_library_hold(name: str, split: str) -> None:
    assert measure_expert(name, split, 200)[0] >= 0.95
    assert measure_expert(name, split, 200, "3d")[0] >= 0.95
    assert measure_recovery(name, 50)[0] >= 0.8
    assert min(measure_honesty(name, 50).values()) >= 0.8
