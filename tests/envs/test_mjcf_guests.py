"""Objects of other people's packages: they stand, are seen, and can be lifted.

Packages that are not installed are looked for in the folder that GRASPO_MJCF names:
`pip download --no-deps robosuite==1.5.2 metaworld==3.1.1`, unpacked side by side.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import mujoco
import numpy as np
import pytest

from envs import registry
from envs.mjcf import Mjcf, add_mjcf
from envs.predicates import conclude, rise
from envs.sampling.sample import Unusable, draw_scene
from envs.scene import Scene, SceneConfig
from envs.skills import LIFT
from envs.task import Goal
from envs.testing import check_rest, succeeds

# Package, files below it, and the bodies that stand, are seen, and with a star are
# narrow enough for the hand.
ROBOSUITE = "robosuite/models/assets/objects/{}.xml"
SAWYER = "metaworld/assets/sawyer_xyz/sawyer_{}.xml"
FARAMA = "gymnasium_robotics/envs/assets/{}.xml"
OTHERS = {
    ROBOSUITE: "bottle:* bread:* can:* cereal:* lemon: milk:* plate-with-hole: "
    "round-nut:* square-nut:*",
    SAWYER: "coffee:obj coffee:coffee_machine assembly_peg:RoundNut "
    "basketball:bsktball* hammer:hammerbody* laptop:laptop "
    "peg_insertion_side:peg* peg_unplug_side:plug1 pick_and_place:obj* "
    "bin_picking:obj* pick_out_of_hole:obj* push_v3:obj* reach_v3:obj* "
    "shelf_removing:block* soccer:soccer_ball* stick_obj:stick* sweep_tool:club "
    "sweep_v3:obj* table_with_hole:obj* box:boxbodytop drawer:drawer "
    "faucet:faucetBase",
    FARAMA: "adroit_hand/adroit_hammer:Object* adroit_hand/adroit_pen:Object* "
    "adroit_hand/adroit_relocate:Object fetch/pick_and_place:object0 "
    "fetch/slide:object0 hand/manipulate_block:object hand/manipulate_egg:object "
    "hand/manipulate_pen:object* "
    "kitchen_franka/kitchen_assets/kitchen_env_model:kettle",
}
CASES = [(where, word) for where, words in OTHERS.items() for word in words.split()]


def find_package(name: str) -> Path:
    """The folder that holds a package; skips the test where there is none."""
    folder = Path(os.environ.get("GRASPO_MJCF", "nowhere"))
    if (folder / name).is_dir():
        return folder
    found = importlib.util.find_spec(name)
    if found is None:
        pytest.skip(f"no {name}")
    return Path(found.submodule_search_locations[0]).parent


@pytest.mark.parametrize(("where", "word"), CASES, ids=[word for _, word in CASES])
def test_objects_of_others_stand_are_seen_and_are_lifted(where, word, monkeypatch):
    file, body = word.split(":")
    path = find_package(where.split("/")[0]) / where.format(file)
    monkeypatch.setattr(registry, "_tasks", {})
    registry.register_scene("guest")(make_task(Mjcf(path, body=body.rstrip("*"))))
    scenes = [draw_scene(SceneConfig(name="guest", seed=seed)) for seed in range(6)]
    refused = [scene for scene in scenes if isinstance(scene, Unusable)]
    assert not [scene.reason for scene in refused if scene.restless]
    drawn = [scene for scene in scenes if isinstance(scene, Scene)]  # and so, seen
    assert drawn
    for scene in drawn:
        check_rest(scene)
    lifted = [succeeds(scene, scene.reference.to_plan()) for scene in drawn]
    assert any(lifted) or not body.endswith("*")


def make_task(source: Mjcf) -> type:
    """A scene with one object and the plainest expert: grasp it and go up."""

    class Guest:
        skill, part_classes = LIFT, ("thing",)

        def build(self, spec, factors):
            yaw = factors.uniform("position", (0, np.pi), (0, np.pi))
            body = add_mjcf(spec, source, "thing", 0.5, 0.0, yaw)
            parts = [body, *body.find_all(mujoco.mjtObj.mjOBJ_BODY)]
            part = next(part.name for part in parts if list(part.geoms))
            return Goal(instruction="lift it", target="thing", part=part)

        def expert(self, goal, state, rng):
            return state.middle(goal.part) + np.outer([0, 0.5, 1], [0, 0, 0.07])

        def judge(self, goal, run):
            up = rise(run, "thing")
            return conclude({"not_lifted": up < 0.04}, progress=up / 0.04)

    return Guest
