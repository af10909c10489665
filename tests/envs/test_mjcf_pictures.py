"""Pictures of objects are small, those of cubes too, and never huge."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import mujoco
import numpy as np
import pytest
from mjcf_files import WILD, place
from PIL import Image

from envs.mjcf import add_mjcf


def test_hidden_geoms_are_in_one_group_and_pictures_small(wild: Path) -> None:
    model, _ = place(wild)
    assert set(model.geom_group.tolist()) == {2, 3}
    assert (model.tex_width[0], model.tex_height[0]) == (256, 171)
    twice = mujoco.MjSpec()
    for i in range(2):
        add_mjcf(twice, wild, f"box{i}", 0.3 * i, 0.0, 0.0)
    assert twice.compile().nmesh == 4  # names that collide are kept apart


def test_a_damaged_picture_is_named(wild: Path) -> None:
    picture = next(wild.parent.rglob("skin.png"))
    picture.write_bytes(picture.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"texture '\w+': skin\.png: "):
        place(wild)


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


PAINTED = """
<mujoco>
  <asset><texture name="t" {}/><material name="t" texture="t"/></asset>
  <worldbody>
    <body name="a"><freejoint/><geom size=".1" material="t"/></body>
  </worldbody>
</mujoco>
"""
SIDES = ("right", "left", "up", "down", "front", "back")
SIX = " ".join(f"file{side}='{side}.png'" for side in SIDES)
CROSS = "file='cross.png' gridsize='3 4' gridlayout='.U..LFRB.D..'"


@pytest.fixture
def painted(tmp_path: Path) -> Path:
    return tmp_path / "painted.xml"


def draw(folder: Path, name: str, width: int, height: int) -> None:
    texels = np.random.default_rng(len(name)).integers(0, 255, (height, width, 4))
    Image.fromarray(texels.astype(np.uint8)).save(folder / f"{name}.png")


@pytest.mark.parametrize(
    "said",
    [
        SIX,
        CROSS,
        f"{SIX} vflip='true'",
        f"{CROSS} hflip='true'",
        "fileright='up.png' rgb1='.3 .7 .2'",
        "file='cross.png' gridsize='3 4' gridlayout='......R..D..' rgb1='.3 .7 .2'",
        "file='up.png' hflip='true'",
        "file='cross.png' type='2d' gridsize='3 4' vflip='true'",
        "file='cross.png' type='2d' nchannel='4'",
    ],
)
def test_a_small_picture_is_as_mujoco_reads_it(said: str, painted: Path) -> None:
    for side in SIDES:
        draw(painted.parent, side, 8, 8)
    draw(painted.parent, "cross", 32, 24)
    painted.write_text(PAINTED.format(said))
    alone = mujoco.MjModel.from_xml_path(str(painted))
    placed, _ = place(painted)
    for what in ("tex_width", "tex_height", "tex_nchannel", "tex_data"):
        assert getattr(placed, what).tolist() == getattr(alone, what).tolist()


@pytest.mark.parametrize("said", [SIX, CROSS, "fileup='up.png'", "file='up.png'"])
def test_the_sides_of_a_cube_are_small(said: str, painted: Path) -> None:
    for name, size in [("cross", (1200, 900)), *((side, (300, 300)) for side in SIDES)]:
        Image.new("RGB", size).save(painted.parent / f"{name}.png")
    painted.write_text(PAINTED.format(said))
    model, _ = place(painted)
    assert model.tex_width[0] == 256
    assert model.tex_height[0] == 256 * (1 if said == "file='up.png'" else 6)


def test_a_side_of_a_cube_that_has_changed_is_read_again(painted: Path) -> None:
    painted.write_text(PAINTED.format("fileup='up.png'"))
    for width in (8, 16):
        draw(painted.parent, "up", width, width)
        assert place(painted)[0].tex_width[0] == width


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("file='wide.png'", "8 x 4 texels are not 1 x 1 squares"),
        ("file='wide.png' gridsize='2 2'", "8 x 4 texels are not 2 x 2 squares"),
        ("fileup='wide.png'", "8 x 4 texels are not 1 x 1 squares"),
        ("fileup='up.png' filedown='down.png'", "its sides differ in size"),
        ("builtin='flat' width='5000' height='1'", "is 5000 x 30000; at most"),
    ],
)
def test_what_makes_no_cube_is_refused(said: str, why: str, painted: Path) -> None:
    for name, width, height in (("wide", 8, 4), ("up", 8, 8), ("down", 16, 16)):
        draw(painted.parent, name, width, height)
    painted.write_text(PAINTED.format(said))
    with pytest.raises(ValueError, match=rf"painted\.xml, texture 't'.* {why}"):
        place(painted)


def test_a_picture_is_seen_that_the_file_would_leave_outside(painted: Path) -> None:
    draw(painted.parent, "up", 8, 8)
    painted.write_text(PAINTED.format("type='2d' file='up.png' embed='false'"))
    assert place(painted)[0].ntexdata == 8 * 8 * 3
