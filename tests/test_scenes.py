"""Every registered scene keeps the contract."""

import pytest

import envs
from envs.registry import list_scenes
from envs.testing import check_scene, measure_expert

BUILT_IN = [name for name in list_scenes() if name in dir(envs.scenes)]


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_scene_keeps_the_contract(name: str) -> None:
    check_scene(name, n=3)


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("split", ["train", "ood"])
def test_the_expert_succeeds_before_filtering(name: str, split: str) -> None:
    share, count = measure_expert(name, split, 20)
    assert count >= 15
    assert share >= 0.9
