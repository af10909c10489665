"""Files are read as MuJoCo reads them, and again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import mujoco
import pytest
from mjcf_files import ODD, WILD, place

from envs.mjcf import Mjcf, add_mjcf


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


def test_geoms_that_the_file_does_not_weigh_have_no_mass(wild: Path) -> None:
    wild.write_text(WILD.replace('"0 4"', '"4 4"'))
    light = place(wild)[0].body("thing").mass
    wild.write_text(WILD)
    os.utime(wild, (1, 1))  # another time of change, whatever the clock's grain
    assert place(wild)[0].body("thing").mass == pytest.approx(2 * light)


BALL = "<mujoco><worldbody><body name='a'>{}</body></worldbody></mujoco>"
SIZED = BALL.format("<freejoint/><geom size='{}'/>")


def test_a_file_of_the_same_name_in_another_folder_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, size in (("first", 0.1), ("second", 0.2)):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        Path("ball.xml").write_text(SIZED.format(size))
        assert place("ball.xml")[0].geom_size[0, 0] == pytest.approx(size)


def test_a_link_that_leads_elsewhere_is_followed_again(tmp_path: Path) -> None:
    link = tmp_path / "newest"
    for folder, size in (("first", 0.1), ("second", 0.2)):
        path = tmp_path / folder / "ball.xml"
        path.parent.mkdir()
        path.write_text(SIZED.format(size))
        os.utime(path, (1, 1))
        link.unlink(missing_ok=True)
        link.symlink_to(path.parent)
        assert place(link / "ball.xml")[0].geom_size[0, 0] == pytest.approx(size)


def test_a_file_that_is_included_first_is_noticed(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "outer.xml").write_text(
        "<mujoco><include file='inner/middle.xml'/></mujoco>"
    )
    (inner / "middle.xml").write_text("<mujoco><include file='ball.xml'/></mujoco>")
    for folder, size in ((inner, 0.1), (tmp_path, 0.2)):
        (folder / "ball.xml").write_text(SIZED.format(size))
        found = place(tmp_path / "outer.xml")[0].geom_size[0, 0]
        assert found == pytest.approx(size)


def test_meshes_are_found_from_wherever_a_scene_is_compiled(
    wild: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = mujoco.MjSpec()
    monkeypatch.chdir(wild.parent)
    add_mjcf(spec, wild.name, "thing", 0.5, 0.0, 0.0)
    monkeypatch.chdir("/")
    assert spec.compile().nmesh == 2


TOLD = """
<mujoco>
  <compiler {}/>
  <worldbody>
    <body name="thing">
      <freejoint/>
      <geom size=".02" pos=".01 0 0" mass=".2"/>
      <geom size=".01" pos="0 .05 0" contype="0" conaffinity="0" group="2"/>
      <body name="thing/flap" pos="0 0 .1" euler="30 0 90">
        <inertial pos="0 0 0" mass=".1" diaginertia="1e-5 1e-5 {}"/>
        <joint axis="1 0 0" range="-1 1" limited="true"/>
        <geom size=".01" pos="0 .02 0"/>
        <body name="thing/tip" pos="0 0 .1"><geom size=".01"/></body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
TELLING = {
    "boundmass='.5'": "1e-5",
    "boundinertia='.5'": "1e-5",
    "balanceinertia='true'": "9e-5",
    "inertiafromgeom='true'": "1e-5",
    "inertiagrouprange='0 1'": "1e-5",
    "autolimits='false'": "1e-5",
    "angle='radian'": "1e-5",
    "eulerseq='zyx'": "1e-5",
    "discardvisual='true'": "1e-5",
}


@pytest.mark.parametrize("said", TELLING)
def test_what_a_file_tells_the_compiler_counts_in_a_scene(
    said: str, tmp_path: Path
) -> None:
    path = tmp_path / "told.xml"
    path.write_text(TOLD.format(said, TELLING[said]))
    alone = mujoco.MjModel.from_xml_path(str(path))
    placed, _ = place(path)
    assert placed.ngeom == alone.ngeom
    for what in ("body_mass", "body_inertia", "jnt_range", "jnt_limited"):
        assert getattr(placed, what) == pytest.approx(getattr(alone, what))
    assert placed.body_quat[2:] == pytest.approx(alone.body_quat[2:])


def test_a_body_alone_is_aligned_where_its_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "aligned.xml"
    ball = "<freejoint/><geom size='.02' pos='.05 0 0'/>"
    how = "<mujoco><compiler alignfree='true'/>"
    path.write_text(BALL.format(ball).replace("<mujoco>", how))
    assert place(path)[0].body("thing").ipos == pytest.approx([0, 0, 0])


def test_parts_stay_apart_where_the_file_would_fuse_them(tmp_path: Path) -> None:
    path = tmp_path / "fused.xml"
    path.write_text(TOLD.format("fusestatic='true'", "1e-5"))
    fused, (placed, _) = mujoco.MjModel.from_xml_path(str(path)), place(path)
    assert placed.nbody == fused.nbody + 1
    whole = [model.body("thing").subtreemass for model in (fused, placed)]
    assert whole[0] == pytest.approx(whole[1])


def test_a_mass_for_all_of_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weighed.xml"
    path.write_text(TOLD.format("settotalmass='.1'", "1e-5"))
    said = r"weighed\.xml, <compiler settotalmass='0\.1'>: the mass of a whole file"
    with pytest.raises(ValueError, match=said):
        place(path)
