"""Objects from files: they stand, alone and whole, under names that are free."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
from commands import ROOT
from mjcf_files import ODD, place

from envs.mjcf import Mjcf, add_mjcf, split_part

PAWN = ROOT / "assets" / "pawn" / "pawn.xml"


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
        place(Mjcf(ghost, body="robot"))


def test_parts_without_a_name_get_one_that_is_free(tmp_path: Path) -> None:
    path = tmp_path / "named.xml"
    part = "<body {}><geom size='0.1'/></body>"
    inside = part.format("") + part.format("name='part2'") + part.format("")
    path.write_text(
        "<mujoco><worldbody><body name='a'><freejoint/><geom size='0.1'/>"
        f"{inside}</body></worldbody></mujoco>"
    )
    names = {place(path)[0].body(i).name for i in range(2, 5)}
    assert "thing/part2" in names and len(names) == 3


def test_a_body_without_shapes_stands_where_it_is_put(tmp_path: Path) -> None:
    path = tmp_path / "frame.xml"
    path.write_text("<mujoco><worldbody><body name='a'/></worldbody></mujoco>")
    model, _ = place(Mjcf(path, fixed=True))
    assert model.body("thing").pos[2] == 0


def test_what_is_not_there_is_named(odd: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no MJCF file nowhere"):
        place("nowhere.xml")
    with pytest.raises(ValueError, match="no body 'lap' .* robot, lamp, glow"):
        place(Mjcf(odd, body="lap"))


def test_what_couples_an_objects_own_parts_comes_along(wild: Path) -> None:
    model, data = place(wild)
    kept = [model.neq, model.ntendon, model.nexclude]
    assert kept == [2, 1, 1]
    left = [model.nu, model.nsensor, model.ncam, model.nlight]
    assert left == [0, 0, 0, 0]
    assert model.nmesh == 2
    assert data.body("thing").xpos[2] == pytest.approx(0.02, abs=1e-6)
    assert model.joint("thing/turn_lid").range == pytest.approx([0, np.pi / 2])
    excluded = model.exclude_signature[0]
    pair = model.body("thing").id, model.body("thing/lid").id
    assert {excluded >> 16, excluded & 0xFFFF} == set(pair)


def test_the_first_body_that_moves_is_taken_before_the_table(wild: Path) -> None:
    assert place(wild)[0].joint(0).type == mujoco.mjtJoint.mjJNT_FREE
    fixed, _ = place(Mjcf(wild, fixed=True))
    assert fixed.geom(0).size[0] == 1.0


def test_parts_are_split_off_where_a_goal_needs_them(wild: Path) -> None:
    spec = mujoco.MjSpec()
    body = add_mjcf(spec, wild, "thing", 0.5, 0.1, 0.3)
    before = spec.copy().compile()
    split_part(spec, body, "thing/half", list(body.geoms)[:1])
    model = spec.compile()
    assert model.body("thing/half").geomnum == 1
    assert model.body("thing").geomnum == before.body("thing").geomnum - 1
    whole = before.body("thing").subtreemass
    assert model.body("thing").subtreemass == pytest.approx(whole)


TURNED = """
<mujoco>
  <worldbody>
    <body name="arm">
      <freejoint/>
      <geom name="rod" type="capsule" size="0.02 0.1" euler="90 0 0"/>
      <frame pos="0 0 0.1"><frame euler="0 90 0">
        <geom name="tip" type="capsule" size="0.01 0.05" pos="0.1 0 0"/></frame></frame>
    </body>
  </worldbody>
  <contact><pair geom1="rod" geom2="tip"/></contact>
</mujoco>
"""


@pytest.mark.parametrize("name", ["rod", "tip"])
def test_a_part_that_is_split_off_stays_where_it_was(name: str, tmp_path: Path) -> None:
    path = tmp_path / "turned.xml"
    path.write_text(TURNED)
    spec = mujoco.MjSpec()
    spec.compiler.degree = False  # as scenes have it; the file's angles are degrees
    body = add_mjcf(spec, path, "thing", 0.5, 0.1, 0.3)
    before = mujoco.MjData(spec.copy().compile())
    split_part(spec, body, "thing/part", [spec.geom(f"thing/{name}")])
    after = mujoco.MjData(spec.compile())
    for data in (before, after):
        mujoco.mj_forward(data.model, data)
    for geom in ("thing/rod", "thing/tip"):
        was, now = before.geom(geom), after.geom(geom)
        np.testing.assert_allclose(now.xpos, was.xpos, atol=1e-12)
        np.testing.assert_allclose(now.xmat, was.xmat, atol=1e-12)


def test_a_soft_part_keeps_its_edges_and_leaves_another_objects_behind(
    tmp_path: Path,
) -> None:
    sheet = "count='3 3 1' dim='2' spacing='.02 .02 .02' type='grid'"
    path = tmp_path / "soft.xml"
    path.write_text(
        f"""
        <mujoco><size memory="900M" nuserdata="3" nkey="2"/><worldbody>
          <body name="other"><flexcomp name="far" {sheet}/></body>
          <body name="toy"><freejoint/><geom size=".02"/>
            <flexcomp name="skirt" {sheet} mass=".1">
              <edge equality="true"/><pin id="0"/></flexcomp></body>
        </worldbody></mujoco>
        """
    )
    model, _ = place(path)
    assert (model.nflex, model.neq) == (1, 1)
    assert mujoco.mj_id2name(model, mujoco.mjtObj.mjOBJ_FLEX, 0) == "thing/skirt"
    assert model.body("thing").id in model.flex_vertbodyid
