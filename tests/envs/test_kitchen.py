"""The scenes behind the extra `meshes` keep the contract, or say what they need."""

from __future__ import annotations

import subprocess
import sys

import gymnasium
import pytest
from commands import ROOT

import envs
from envs.meshes import extra
from envs.registry import name_env
from envs.sampling.measurements import measure_expert, measure_honesty
from envs.sampling.suite import load_suite
from envs.testing import check_scene
from policy.evaluation.baselines import BASELINES

NAMES = (
    *("kitchen_hinge", "kitchen_kettle", "kitchen_knob", "kitchen_microwave"),
    *("kitchen_slide", "kitchen_switch", "pick_thing"),
)
SHIPPED = ROOT / "assets" / "suite_kitchen.json"
needs_meshes = pytest.mark.skipif(not extra.find_assets(), reason="no graspo[meshes]")
each_scene = pytest.mark.parametrize("name", NAMES)
each_split = pytest.mark.parametrize("split", ["train", "ood"])


@needs_meshes
@each_scene
def test_the_scene_keeps_the_contract(name: str) -> None:
    check_scene(name, n=1)


@needs_meshes
@each_scene
def test_the_expert_succeeds_before_filtering(name: str) -> None:
    for split in ("train", "ood"):
        share, count = measure_expert(name, split, 8)
        assert count >= 6
        assert share >= 0.85


@needs_meshes
@each_scene
@pytest.mark.parametrize("split", ["test", "ood"])
def test_the_shipped_suite_is_what_this_version_builds(name: str, split: str) -> None:
    suite = load_suite(SHIPPED)
    seeds = suite.list_seeds(name, split)
    assert len(seeds) == len(suite.list_draws(name, split)) == 100
    suite.check([envs.make_scene(name, split, seeds[0])])


@needs_meshes
def test_every_scene_is_an_environment_but_none_of_env_all() -> None:
    assert set(NAMES) <= set(envs.list_scenes())
    assert not set(NAMES) & set(envs.list_common())
    assert {name_env(name) for name in NAMES} <= set(gymnasium.registry)


@needs_meshes
def test_every_thing_can_be_asked_for() -> None:
    from envs.kitchen.pick_thing import HELD_OUT_THINGS, THINGS

    asked = set()
    for split, seeds in (("test", 14), ("ood", 4)):
        for seed in range(seeds):
            scene = envs.make_scene("pick_thing", split, seed, verify=False)
            asked |= {g.thought for g in scene.goals}
    assert asked == {t.words for t in (*THINGS.values(), *HELD_OUT_THINGS.values())}


def test_without_the_extra_the_scenes_are_named_and_not_listed() -> None:
    code = (
        "import sys; sys.modules['gymnasium_robotics'] = None\n"
        "import envs, gymnasium\n"
        "from envs.registry import check_name\n"
        "print(len(envs.list_scenes()), envs.list_scenes() == envs.list_common())\n"
        "try:\n    envs.make_scene('kitchen_knob')\n"
        "except ValueError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    count, said = done.stdout.splitlines()
    assert count == f"{len(envs.scenes.__all__)} True"
    assert (
        said == "env=kitchen_knob needs the extra meshes: pip install 'graspo[meshes]'"
    )


@pytest.mark.slow
@needs_meshes
@each_scene
@each_split
def test_the_bars_of_the_library_hold(name: str, split: str) -> None:
    assert measure_expert(name, split, 200)[0] >= 0.95
    assert measure_expert(name, split, 50, "3d")[0] >= 0.9
    assert min(measure_honesty(name, 30).values()) >= 0.6
    for baseline in ("null", "random", "wrong_target"):
        assert measure_baseline(name, split, baseline, 200) <= 0.02


def measure_baseline(name: str, split: str, baseline: str, n: int) -> float:
    good = 0
    for seed in range(n):
        scene = envs.make_scene(name, split, seed, verify=False)
        answer = envs.parse_answer(BASELINES[baseline](scene))
        good += envs.simulate(scene, [answer])[0].success
    return good / n
