"""Objects from files: ours, made-up ones, and those of other people's packages."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import mujoco
import numpy as np
import pytest
from commands import ROOT

from envs import registry
from envs.mjcf import Mjcf, add_mjcf
from envs.predicates import conclude, rise
from envs.sampling.sample import Unusable, draw_scene
from envs.scene import Scene, SceneConfig
from envs.skills import LIFT
from envs.task import Goal
from envs.testing import check_rest, succeeds

PAWN = ROOT / "assets" / "pawn" / "pawn.xml"
ODD = """
<mujoco>
  <option timestep="0.001" cone="pyramidal"/>
  <size njmax="500" nuser_body="3"/>
  <asset>
    <texture name="far" type="2d" builtin="flat" width="8" height="8"/>
    <material name="far" texture="far"/>
  </asset>
  <worldbody>
    <body name="robot" pos="3 3 3"><geom size="0.1" material="far"/></body>
    <body name="lamp" pos="1 2 3" euler="90 0 0">
      <freejoint/>
      <geom type="cylinder" size="0.02 0.03"/>
      <body pos="0 0 0.03"><geom size="0.02"/></body>
      <body name="glow"><geom size="0.5" contype="0" conaffinity="0" mass="0"/></body>
    </body>
  </worldbody>
  <keyframe><key name="up"/></keyframe>
</mujoco>
"""


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.xml"
    path.write_text(ODD)
    return path


def place(source: object, **how: float) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """A world with nothing but an object in it; any warning is an error."""
    spec = mujoco.MjSpec()
    with warnings.catch_warnings(action="error"):
        add_mjcf(spec, source, "thing", 0.5, 0.1, **{"yaw": 0.3, **how})
        model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def test_an_object_stands_on_the_table_whatever_its_file_says(odd: Path) -> None:
    model, data = place(Mjcf(odd, body="lamp"))
    x, y, z = data.body("thing").xpos
    assert (x, y, z) == pytest.approx((0.5, 0.1, 0.02))  # it lies, as in its file
    assert model.jnt_type.tolist() == [mujoco.mjtJoint.mjJNT_FREE]
    _, raised = place(Mjcf(odd, body="lamp"), z=0.2)
    assert raised.body("thing").xpos[2] == pytest.approx(0.2)
    _, pawn = place(PAWN)
    assert pawn.body("thing").xpos[2] == pytest.approx(0, abs=1e-6)


def test_only_what_belongs_to_the_object_comes_along(odd: Path) -> None:
    model, _ = place(Mjcf(odd, body="lamp"))
    names = [model.body(i).name for i in range(model.nbody)]
    assert names == ["world", "thing", "thing/part1", "thing/glow"]
    assert (model.ntex, model.nmat, model.nkey) == (0, 0, 0)
    assert model.opt.timestep == 0.002


def test_one_object_can_come_many_times(odd: Path) -> None:
    spec = mujoco.MjSpec()
    for i in range(3):
        add_mjcf(spec, Mjcf(odd, body="lamp"), f"lamp{i}", 0.2 * i, 0.0, 0.0)
        add_mjcf(spec, PAWN, f"pawn{i}", 0.2 * i, 0.3, 0.0)
    assert spec.compile().njnt == 6


def test_what_is_fastened_does_not_move_and_need_not_collide(tmp_path, odd) -> None:
    assert place(Mjcf(odd, body="lamp", fixed=True))[0].njnt == 0
    ghost = tmp_path / "ghost.xml"
    ghost.write_text(
        ODD.replace('size="0.1"', 'size="0.1" contype="0" conaffinity="0"')
    )
    assert place(Mjcf(ghost, fixed=True))[1].body("thing").xpos[2] == pytest.approx(0.1)
    with pytest.raises(ValueError, match=r"ghost\.xml collides, so it would fall"):
        place(ghost)


def test_a_changed_file_is_read_again(odd: Path) -> None:
    robot = Mjcf(odd, body="robot")
    assert place(robot)[1].body("thing").xpos[2] == pytest.approx(0.1)
    odd.write_text(ODD.replace('size="0.1"', 'size="0.25"'))
    assert place(robot)[1].body("thing").xpos[2] == pytest.approx(0.25)


def test_what_is_not_there_is_named(odd: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no MJCF file nowhere"):
        place("nowhere.xml")
    with pytest.raises(ValueError, match="no body 'lap' .* robot, lamp, glow"):
        place(Mjcf(odd, body="lap"))


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


@pytest.mark.parametrize(("where", "word"), CASES, ids=[word for _, word in CASES])
def test_objects_of_others_stand_are_seen_and_are_lifted(where, word, monkeypatch):
    package = where.split("/")[0]
    found = importlib.util.find_spec(package)
    if found is None:
        pytest.skip(f"no package {package}")
    file, body = word.split(":")
    path = Path(found.submodule_search_locations[0]).parent / where.format(file)
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
