"""Files of strangers that would be read for ever, or that fill the memory."""

from __future__ import annotations

import os
from pathlib import Path

import mujoco
import pytest
from mjcf_files import place

from envs.mjcf import Mjcf, add_mjcf, bounds, survey

LONG = "<mesh name='m' builtin='{}' params='{}'/>"
HOSTILE = {
    "<model file='other.xml'/>": r"<model file='other\.xml'>: other models are not",
    LONG.format("plate", "9000 9000"): r"<mesh params='9000 9000'>: that many copies",
    LONG.format("supertorus", "900 .2 1 1"): r"<mesh params='900 .2 1 1'>: that many",
    LONG.format("cone", "99999 .5"): r"<mesh params='99999 .5'>: that many copies",
    LONG.format("grid", "2 2 9999 1 1 1"): r"<mesh params='2 2 9999 1 1 1'>: that many",
    LONG.format("plate", "x 1"): r"<mesh params='x 1'>: no number",
    "<hfield name='h' nrow='60000' ncol='60000' size='1 1 1 1'/>": (
        r"hfield 'h' is 60000 x 60000; at most"
    ),
    "<mesh name='m' file='pipe.obj'/>": r"<mesh file='pipe\.obj'>: .* no regular file",
    "<texture name='t' type='2d' file='pipe.obj'/>": r"pipe\.obj is no regular file",
    "<hfield name='h' file='large.png' size='1 1 1 1'/>": r"hfield 'h'.*(5000 x|2500)",
    "<mesh name='m' file='large.bin' content_type='model/obj'/>": r"mesh 'm': large\.b",
    f"<mesh name='m' file='{'long' * 99}'/>": r"odd\.xml: Error: .*longlong",
}
BODY = "<body><geom type='mesh' mesh='m'/></body>"
FIELD = "<body><geom type='hfield' hfield='h'/></body>"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What hostile files name, by bounds that are soon reached."""
    from PIL import Image

    os.mkfifo(tmp_path / "pipe.obj")
    Image.new("1", (5000, 5000)).save(tmp_path / "large.png")
    (tmp_path / "large.bin").write_bytes(bytes(2 << 20))
    monkeypatch.setattr(bounds, "MOST_BYTES", 1 << 20)
    return tmp_path


def refuse(path: Path, text: str, why: str) -> None:
    path.write_text(text)
    with pytest.raises(ValueError, match=why) as caught:
        add_mjcf(mujoco.MjSpec(), Mjcf(path, fixed=True), "thing", 0.5, 0.0, 0.0)
    assert "\n" not in str(caught.value)
    assert path.parent.name in str(caught.value)


@pytest.mark.parametrize("asset", HOSTILE, ids=lambda text: text[:30])
def test_an_asset_without_an_end_is_refused(asset: str, folder: Path) -> None:
    world = f"<worldbody>{FIELD if 'hfield' in asset else BODY}</worldbody>"
    text = f"<mujoco><asset>{asset}</asset>{world}</mujoco>"
    refuse(folder / "odd.xml", text, HOSTILE[asset])


def test_each_side_of_a_cube_counts(folder: Path) -> None:
    text = """
    <mujoco><asset><texture name="t" type="cube" fileright="large.png"/>
      <material name="t" texture="t"/></asset>
      <worldbody><body><geom size="0.1" material="t"/></body></worldbody></mujoco>
    """
    refuse(folder / "odd.xml", text, r"texture 't' is 5000 x 5000")


def test_what_is_included_is_a_file_of_some_size(folder: Path) -> None:
    for name, why in (("pipe.obj", "no regular file"), ("large.bin", "has 2 MB")):
        refuse(folder / "odd.xml", f"<mujoco><include file='{name}'/></mujoco>", why)


def test_includes_that_double_are_refused_at_once(folder: Path) -> None:
    for i in range(40):
        twice = f"<include file='{i + 1}.xml'/><include file='./{i + 1}.xml'/>"
        (folder / f"{i}.xml").write_text(f"<mujoco>{twice}</mujoco>")
    (folder / "40.xml").write_text("<mujoco/>")
    text = "<mujoco><include file='0.xml'/></mujoco>"
    refuse(folder / "odd.xml", text, r"39\.xml includes 40\.xml once more")


def test_folders_are_not_without_number(folder: Path) -> None:
    many = "".join(f"<compiler meshdir='{i}'/>" for i in range(200))
    refuse(folder / "odd.xml", f"<mujoco>{many}</mujoco>", "more than 100 folders")


def test_a_soft_body_is_not_read_from_a_pipe(folder: Path) -> None:
    text = """
    <mujoco><compiler meshdir=".."/><worldbody><body><geom size="0.1"/>
      <flexcomp name="f" type="mesh" file="pipe.obj"/></body></worldbody></mujoco>
    """
    (folder / "inner").mkdir()
    refuse(folder / "inner" / "odd.xml", text, r"<flexcomp file='pipe\.obj'>")


def test_elements_that_are_too_deep_are_refused(folder: Path) -> None:
    deep = "<body><geom size='0.1'/>" * 3000 + "</body>" * 3000
    text = f"<mujoco><worldbody>{deep}</worldbody></mujoco>"
    refuse(folder / "odd.xml", text, "its elements are too deep")


TWO_DOCUMENTS = {
    "<mujoco xmlns='urn:x'><worldbody>{}</worldbody></mujoco>": "namespaces",
    "<mujoco><include file='other.xml'/></mujoco>": "other.xml: namespaces",
    "<!DOCTYPE mujoco [<!ENTITY b '> <mujoco>{}</mujoco> <!-- '>]><mujoco/><!-- -->": (
        "a document type"
    ),
    "<?xml version='1.0' encoding='cp037'?><mujoco>\xff</mujoco>": "no XML in UTF-8",
    "<mujoco><asset><mesh name='m' file='a\tb.obj'/></asset>{}</mujoco>": "line break",
}


@pytest.mark.parametrize("text", TWO_DOCUMENTS, ids=lambda text: text[:30])
def test_what_two_parsers_read_differently_is_refused(text: str, folder: Path) -> None:
    (folder / "other.xml").write_text("<mujoco xmlns='urn:x'/>")
    copies = "<replicate count='99999'><body><geom size='0.1'/></body></replicate>"
    (folder / "odd.xml").write_bytes(text.replace("{}", copies).encode("latin-1"))
    with pytest.raises(ValueError, match=TWO_DOCUMENTS[text]):
        survey.check_file(folder / "odd.xml")


BROKEN = {
    "<replicate count='100000'><body/></replicate>": r"<replicate count='100000'>: th",
    "<replicate count='900'><replicate count='900'><body/></replicate></replicate>": (
        r"<replicate count='900'>: that many copies are too many"
    ),
    "<flexcomp name='f' count='999 999 999'/>": r"<flexcomp count='999 999 999'>",
    "<flexcomp name='f' dim='3'/>" * 21: r"has 210\d\d elements; at most 20000",
    "<replicate count='21'><flexcomp name='f' dim='3'/></replicate>": (
        r"<flexcomp count='10 10 10'>: that many copies are too many"
    ),
    "<flexcomp name='f' count='2 2 2' dof='quadratic' cellcount='20 20 20'/>": (
        r"<flexcomp cellcount='20 20 20'>: that many copies are too many"
    ),
    "<replicate count='2300'><flexcomp name='f' dof='trilinear' count='1 1 1'/>"
    "</replicate>": r"<flexcomp cellcount='1 1 1'>: that many",
    "<replicate count='2'><flexcomp name='f' type='direct' point='"
    + "0 0 0 " * 10_000
    + "'/></replicate>": r"odd\.xml has 2\d+ elements; at most 20000",
    "<body/>" * 20_001: r"has 200\d\d elements; at most 20000",
    "<include file='odd.xml'/>": r"odd\.xml includes itself",
    "<include file='/etc/shadow0'/>": r"odd\.xml: cannot read the included /etc/shad",
    "<body": r"odd\.xml: no XML in UTF-8: (not well-formed|unclosed)",
    "<body name='a'><wing/></body>": r"odd\.xml: XML Error: .*unrecognized .* 'wing'",
    "<body name='a'><joint/><geom size='1' mass='0'/></body>": (
        r"odd\.xml: Error: mass and inertia .* Element name 'object/a'"
    ),
}


@pytest.mark.parametrize("inside", BROKEN, ids=lambda text: text[:20])
def test_what_cannot_be_taken_is_one_line_with_file_and_element(
    inside: str, tmp_path: Path
) -> None:
    path = tmp_path / "odd.xml"
    path.write_text(f"<mujoco><worldbody>{inside}</worldbody></mujoco>")
    with pytest.raises(ValueError, match=BROKEN[inside]) as caught:
        place(path)
    assert "\n" not in str(caught.value)


SOFT = """
<mujoco>
  <asset><mesh name="m" {}/></asset>
  <worldbody><replicate count="{}"><body name="a"><geom size="0.1"/>
    <flexcomp name="f" mesh="m"/></body></replicate></worldbody>
</mujoco>
"""


def test_each_soft_body_counts_the_points_of_its_mesh(folder: Path) -> None:
    why = r"odd\.xml has \d+ elements; at most 20000"
    made = SOFT.format('builtin="grid" params="9 9 9 .1 .1 .1"', 30)
    refuse(folder / "odd.xml", made, why)
    written = SOFT.format(f'vertex="{"0 0 0 " * 999}"', 30)
    refuse(folder / "odd.xml", written, why)


def test_the_mesh_of_a_soft_body_is_of_some_size(folder: Path) -> None:
    text = SOFT.format('file="large.bin" content_type="model/obj"', 1)
    refuse(folder / "odd.xml", text, r"<mesh file='large\.bin'>: large\.bin has 2 MB")


def test_soft_strings_are_counted_by_their_points(tmp_path: Path) -> None:
    """Thirty of ten points each, not of a thousand."""
    strings = "".join(
        f"<flexcomp name='f{i}' dim='1' mass='1'><pin id='0'/>"
        "<edge equality='true'/></flexcomp>"
        for i in range(30)
    )
    path = tmp_path / "odd.xml"
    text = f"<mujoco><worldbody><body name='a'>{strings}</body></worldbody></mujoco>"
    path.write_text(text)
    assert survey.check_file(path) == {path}
    assert place(Mjcf(path, fixed=True))[0].nflexvert == 300


@pytest.mark.parametrize("asset", ["mesh", "texture", "pipe"])
def test_a_name_without_its_folder_is_looked_at(asset: str, folder: Path) -> None:
    """With `strippath`, MuJoCo reads a file that nobody has named."""
    named = {
        "mesh": (
            "<mesh name='m' file='a/large.bin' content_type='model/obj'/>",
            "2 MB",
        ),
        "texture": ("<texture name='t' file='a/large.png'/>", "is 5000 x 5000"),
        "pipe": ("<mesh name='m' file='a\\pipe.obj'/>", "no regular file"),
    }
    element, why = named[asset]
    text = f"""
    <mujoco><compiler strippath="true"/><asset>{element}
      <material name="t" {"texture='t'" if asset == "texture" else ""}/></asset>
      <worldbody>{BODY if asset != "texture" else ""}
        <body><geom size=".1" material="t"/></body></worldbody></mujoco>
    """
    refuse(folder / "odd.xml", text, why)
