"""Objects from files: ours, and made-up ones that ask for much."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from pathlib import Path

import mujoco
import numpy as np
import pytest
from commands import ROOT
from PIL import Image

from envs.mjcf import Mjcf, add_mjcf, split_part

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
        place(Mjcf(ghost, body="robot"))


def test_a_changed_file_is_read_again(odd: Path) -> None:
    robot = Mjcf(odd, body="robot")
    assert place(robot)[1].body("thing").xpos[2] == pytest.approx(0.1)
    odd.write_text(ODD.replace('size="0.1"', 'size="0.25"'))
    assert place(robot)[1].body("thing").xpos[2] == pytest.approx(0.25)


def test_an_included_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path, inner = tmp_path / "outer.xml", tmp_path / "inner.xml"
    path.write_text(
        "<mujoco><worldbody><include file='inner.xml'/></worldbody></mujoco>"
    )
    for size in (0.1, 0.25):
        inner.write_text(
            f"<mujoco><body name='a'><freejoint/><geom size='{size}'/></body></mujoco>"
        )
        assert place(path)[0].geom_size[0, 0] == pytest.approx(size)


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


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_size_that_nothing_has_is_refused(scale: float, odd: Path) -> None:
    with pytest.raises(ValueError, match=r"odd\.xml: scale is .*; above 0"):
        Mjcf(odd, scale=scale)


def test_a_body_without_shapes_stands_where_it_is_put(tmp_path: Path) -> None:
    path = tmp_path / "frame.xml"
    path.write_text("<mujoco><worldbody><body name='a'/></worldbody></mujoco>")
    model, _ = place(Mjcf(path, fixed=True))
    assert model.body("thing").pos[2] == 0


def test_a_damaged_picture_is_named(wild: Path) -> None:
    picture = next(wild.parent.rglob("skin.png"))
    picture.write_bytes(picture.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"texture '\w+': skin\.png: "):
        place(wild)


def test_what_is_not_there_is_named(odd: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no MJCF file nowhere"):
        place("nowhere.xml")
    with pytest.raises(ValueError, match="no body 'lap' .* robot, lamp, glow"):
        place(Mjcf(odd, body="lap"))


WILD = """
<mujoco>
  <compiler angle="degree" meshdir="shapes" texturedir="pictures"
            inertiagrouprange="0 4"/>
  <include file="defaults.xml"/>
  <asset>
    <texture name="skin" type="2d" file="skin.png"/>
    <material name="skin" texture="skin"/>
    <mesh name="half" file="half.obj" scale="0.02 0.02 0.02"/>
    <mesh name="lid" file="half.obj" scale="0.02 0.02 0.01"/>
    <mesh name="unused" file="nowhere.obj"/>
  </asset>
  <worldbody>
    <light pos="0 0 3"/>
    <body name="table"><joint name="turn"/><geom size="1 1 0.1" type="box"/></body>
    <body name="box" childclass="shown">
      <freejoint/>
      <light pos="0 0 1"/>
      <camera name="scene" pos="0 0 1"/>
      <site name="tip"/>
      <geom mesh="half" material="skin"/>
      <geom class="solid" mesh="half"/>
      <body name="lid" pos="0 0 0.04">
        <joint name="turn_lid" type="hinge" range="0 90" damping="1"/>
        <geom mesh="lid" material="skin"/>
        <geom class="solid" mesh="lid"/>
      </body>
      <body name="knob" pos="0 0 0.07">
        <joint name="shift" type="slide" range="0 0.02"/>
        <geom class="solid" type="sphere" size="0.005"/>
      </body>
    </body>
  </worldbody>
  <equality>
    <joint joint1="turn_lid" joint2="shift" polycoef="0 78 0 0 0"/>
    <joint joint1="turn_lid" joint2="turn"/>
    <weld body1="box" body2="table"/>
    <connect body1="box" body2="lid" anchor="0 0 0"/>
  </equality>
  <tendon><fixed name="t"><joint joint="turn_lid" coef="1"/></fixed>
    <fixed name="far"><joint joint="turn" coef="1"/></fixed></tendon>
  <contact><exclude body1="box" body2="lid"/>
    <exclude body1="box" body2="table"/></contact>
  <actuator><position joint="turn_lid" kp="3"/><motor tendon="t"/></actuator>
  <sensor><jointpos joint="turn_lid"/><force site="tip"/></sensor>
</mujoco>
"""
DEFAULTS = """
<mujocoinclude>
  <default>
    <default class="shown"><geom type="mesh" contype="0" conaffinity="0" group="2"/>
      <default class="solid"><geom contype="1" conaffinity="1" group="4"/></default>
    </default>
  </default>
</mujocoinclude>
"""
CUBE = (
    "".join(f"v {x} {y} {z}\n" for x in (-1, 1) for y in (-1, 1) for z in (-1, 1))
    + "f 1 2 4 3\nf 5 7 8 6\nf 1 5 6 2\nf 3 4 8 7\nf 1 3 7 5\nf 2 6 8 4\n"
)


@pytest.fixture
def wild(tmp_path: Path) -> Path:
    """A file with all that files in the wild have."""
    for folder in ("shapes", "pictures"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shapes" / "half.obj").write_text(CUBE)
    Image.new("RGB", (900, 600), (200, 30, 30)).save(tmp_path / "pictures/skin.png")
    (tmp_path / "defaults.xml").write_text(DEFAULTS)
    path = tmp_path / "wild.xml"
    path.write_text(WILD)
    return path


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


def test_hidden_geoms_are_in_one_group_and_pictures_small(wild: Path) -> None:
    model, _ = place(wild)
    assert set(model.geom_group.tolist()) == {2, 3}
    assert (model.tex_width[0], model.tex_height[0]) == (256, 171)
    twice = mujoco.MjSpec()
    for i in range(2):
        add_mjcf(twice, wild, f"box{i}", 0.3 * i, 0.0, 0.0)
    assert twice.compile().nmesh == 4  # names that collide are kept apart


def test_an_object_comes_in_any_size(wild: Path) -> None:
    model, _ = place(wild)
    large, data = place(Mjcf(wild, scale=2.0))
    assert data.body("thing").xpos[2] == pytest.approx(0.04, abs=1e-6)
    assert data.body("thing/lid").xpos[2] == pytest.approx(0.12, abs=1e-6)
    assert large.joint("thing/shift").range == pytest.approx([0, 0.04])
    assert large.joint("thing/turn_lid").range == pytest.approx([0, np.pi / 2])
    weighed = model.body("thing").subtreemass
    assert large.body("thing").subtreemass == pytest.approx(8 * weighed)


def test_geoms_that_the_file_does_not_weigh_have_no_mass(wild: Path) -> None:
    wild.write_text(WILD.replace('"0 4"', '"4 4"'))
    light = place(wild)[0].body("thing").mass
    wild.write_text(WILD)
    os.utime(wild, (1, 1))  # another time of change, whatever the clock's grain
    assert place(wild)[0].body("thing").mass == pytest.approx(2 * light)


def test_the_first_body_that_moves_is_taken_before_the_table(wild: Path) -> None:
    assert place(wild)[0].joint(0).type == mujoco.mjtJoint.mjJNT_FREE
    fixed, _ = place(Mjcf(wild, fixed=True))
    assert fixed.geom(0).size[0] == 1.0


HOSTILE = {
    "<replicate count='100000'><body/></replicate>": r"<replicate count='100000'>: th",
    "<replicate count='900'><replicate count='900'><body/></replicate></replicate>": (
        r"<replicate count='900'>: that many copies are too many"
    ),
    "<flexcomp name='f' count='999 999 999'/>": r"<flexcomp count='999 999 999'>",
    "<body/>" * 20_001: r"has 200\d\d elements; at most 20000",
    "<include file='odd.xml'/>": r"odd\.xml includes itself",
    "<include file='/etc/shadow0'/>": r"odd\.xml: cannot read the included /etc/shad",
    "<body": r"odd\.xml: no XML in UTF-8: (not well-formed|unclosed)",
    "<body name='a'><wing/></body>": r"odd\.xml: XML Error: .*unrecognized .* 'wing'",
    "<body name='a'><joint/><geom size='1' mass='0'/></body>": (
        r"odd\.xml: Error: mass and inertia .* Element name 'object/a'"
    ),
}


@pytest.mark.parametrize("inside", HOSTILE, ids=lambda text: text[:20])
def test_what_cannot_be_taken_is_one_line_with_file_and_element(
    inside: str, tmp_path: Path
) -> None:
    path = tmp_path / "odd.xml"
    path.write_text(f"<mujoco><worldbody>{inside}</worldbody></mujoco>")
    with pytest.raises(ValueError, match=HOSTILE[inside]) as caught:
        place(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["file", "builtin"])
def test_a_huge_picture_is_refused_before_it_is_drawn(how: str, wild: Path) -> None:
    side = 60_000
    text = WILD.replace(
        'file="skin.png"', f'builtin="flat" width="{side}" height="{side}"'
    )
    if how == "file":
        header = struct.pack(">II5B", side, side, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        png = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        png += struct.pack(">I", 9) + b"IDAT" + bytes(13)
        (wild.parent / "pictures/skin.png").write_bytes(b"\x89PNG\r\n\x1a\n" + png)
        text = WILD
    wild.write_text(text)
    said = r"wild\.xml, texture 'skin'.*(60000 x|3600000000)"
    with pytest.raises(ValueError, match=said):
        place(wild)


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


TIED = """
<mujoco>
  <asset>
    <hfield name="hill" nrow="2" ncol="2" size="0.1 0.1 0.05 0.01" elevation="0 1 1 0"/>
  </asset>
  <worldbody>
    <body name="field"><geom type="hfield" hfield="hill"/></body>
    <body name="press">
      <joint name="press" type="slide" axis="0 0 1" range="0 0.1"/>
      <geom size="0.02"/>
      <body name="wheel" pos="0.1 0 0"><joint name="wheel"/><geom size="0.02"/></body>
      <body name="rod" pos="0 0.1 0"><joint/><geom size="0.02"/></body>
    </body>
  </worldbody>
  <equality>
    <joint joint1="press" joint2="wheel" polycoef="0 0.04 0.02 0 0"/>
    <joint joint1="wheel" joint2="press" polycoef="0 10 20 0 0"/>
    <connect body1="wheel" body2="rod" anchor="0.02 0 0"/>
  </equality>
</mujoco>
"""


def test_what_ties_parts_grows_with_them(tmp_path: Path) -> None:
    path = tmp_path / "tied.xml"
    path.write_text(TIED)
    small, _ = place(Mjcf(path, body="press"))
    large, _ = place(Mjcf(path, body="press", scale=2.0))
    before, after = small.eq_data, large.eq_data
    assert after[0, :3] == pytest.approx(before[0, :3] * 2)
    assert after[1, :3] == pytest.approx(before[1, :3] / [1, 2, 4])
    assert after[2, :6] == pytest.approx(before[2, :6] * 2)


def test_a_height_field_stands_on_the_table_in_any_size(tmp_path: Path) -> None:
    path = tmp_path / "tied.xml"
    path.write_text(TIED)
    for scale in (1.0, 0.5):
        model, data = place(Mjcf(path, body="field", fixed=True, scale=scale))
        assert data.body("thing").xpos[2] == pytest.approx(0.01 * scale)
        sizes = np.array([0.1, 0.1, 0.05, 0.01]) * scale
        assert model.hfield_size[0] == pytest.approx(sizes)


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


def test_soft_parts_and_shells_grow_with_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "soft.xml"
    path.write_text(
        """
        <mujoco><asset><mesh name="m" inertia="shell" scale=".02 .02 .02"
          vertex="-1 -1 -1 1 -1 -1 1 1 -1 -1 1 -1 -1 -1 1 1 -1 1 1 1 1 -1 1 1"/></asset>
        <worldbody><body name="a"><freejoint/><geom type="mesh" mesh="m"/>
          <flexcomp name="f" type="grid" count="3 3 3" spacing=".05 .05 .05" dim="3"
            radius=".002" rigid="true"/></body></worldbody></mujoco>
        """
    )
    small, large = (place(Mjcf(path, scale=scale)) for scale in (1.0, 2.0))
    for what in ("flex_radius", "flex_size"):
        assert getattr(large[0], what) == pytest.approx(2 * getattr(small[0], what))
    assert np.ptp(large[1].flexvert_xpos[:, 2]) == pytest.approx(0.2)
    assert large[0].body_mass[1] == pytest.approx(8 * small[0].body_mass[1])
    for model, data in (small, large):
        lowest = data.flexvert_xpos[:, 2].min() - model.flex_radius[0]
        assert lowest == pytest.approx(0)
