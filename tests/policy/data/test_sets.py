"""Sets of annotated images: what is broken is counted, what is whole reads upright."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from broken_items import BROKEN
from commands import ROOT
from hypothesis import given
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image

from policy.data.checking import read_numbers
from policy.data.formats import rows as rows_module
from policy.data.formats.rows import find_image, read_json
from policy.data.formats.words import read_conversation, read_task
from policy.data.images import FileImage, ParquetImage, load_image, measure_image
from policy.data.records import REASONS, BrokenItem
from policy.data.sets import SetConfig, open_set

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
GOOD = {
    "instruction": "lift the mug",
    "box": [0.1, 0.2, 0.3, 0.4],
    "waypoints": [[0.2, 0.3], [0.2, 0.2]],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sät ☃"
    images = folder / "images"
    images.mkdir(parents=True)
    Image.fromarray(PIXELS).save(images / "good.png")
    whole = (images / "good.png").read_bytes()
    (images / "cut.png").write_bytes(whole[: len(whole) // 2])
    (images / "text.png").write_text("no image at all")
    return folder


def write(folder: Path, changes: list[dict], extra: str = "") -> Path:
    items = [{"image": "images/good.png"} | GOOD | change for change in changes]
    lines = "".join(json.dumps(item) + "\n" for item in items)
    (folder / "items.jsonl").write_text(lines + extra, "utf-8")
    return folder


def test_every_kind_of_broken_item_is_counted_and_listed(folder):
    changes = [{}] * 60
    for number, change in enumerate(BROKEN.values()):
        changes[5 * number : 5 * number] = [change]
    write(folder, changes, extra="{not json\n")
    found = open_set(SetConfig(path=str(folder)))
    assert found.count_broken() == dict.fromkeys([*BROKEN, "bad_json"], 1)
    assert set(found.count_broken()) <= set(REASONS)
    assert len(found.items) == 60
    found.list_broken(folder / "broken.jsonl")
    listed = [json.loads(s) for s in (folder / "broken.jsonl").read_text().splitlines()]
    assert len(listed) == len(BROKEN) + 1
    assert all(row["item"] and row["reason"] for row in listed)


def test_a_set_of_which_a_fifth_is_broken_is_refused(folder):
    write(folder, [{}] * 70 + [BROKEN["empty_box"]] * 20)
    with pytest.raises(ValueError, match=r"20 of 90 items are broken \(20 empty_box"):
        open_set(SetConfig(path=str(folder)))
    write(folder, [{}] * 80 + [BROKEN["empty_box"]] * 20)
    assert len(open_set(SetConfig(path=str(folder))).items) == 80


def test_pixels_in_the_place_of_fractions_show(folder):
    write(folder, [{"box": [4, 6, 12, 16]}])
    said = r"x and y go to 1 and 1, but it is \[4, 6, 12, 16\]"
    with pytest.raises(ValueError, match=said):
        open_set(SetConfig(path=str(folder)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "nowhere"}, "nowhere does not exist"),
        ({"format": "coco"}, "graspo, sharerobot"),
        ({"fraction": 0.0}, "data.fraction is 0.0"),
        ({"without": ["mugs"]}, "data.without 'mugs'; valid: mug"),
        ({"without": ["mug"]}, "leaves nothing"),
        ({"split": "val"}, "data.split 'val'; valid: train"),
        ({"format": "umd"}, "no .*_label.mat"),
    ],
)
def test_a_mistake_names_what_there_is(folder, options, message):
    write(folder, [{"category": "mug", "split": "train"}] * 3)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        open_set(SetConfig(**{"path": str(folder)} | options))


def test_a_field_without_a_value_says_nothing(folder):
    write(folder, [{"category": None, "split": None}, {"category": 3, "split": "val"}])
    items = open_set(SetConfig(path=str(folder))).items
    assert [(i.category, i.split) for i in items] == [("", ""), ("3", "val")]


def test_a_set_without_what_is_asked_says_what_it_has(folder):
    write(folder, [{"waypoints": None}] * 3)
    with pytest.raises(ValueError, match="answer=plan, but 3 have answer=affordance"):
        open_set(SetConfig(path=str(folder)))


def test_a_smaller_fraction_is_part_of_a_larger_one(folder):
    write(folder, [{"instruction": f"lift {number}"} for number in range(200)])
    kept = {
        fraction: {
            item.instruction
            for item in open_set(SetConfig(path=str(folder), fraction=fraction)).items
        }
        for fraction in (0.1, 0.5, 1.0)
    }
    assert kept[0.1] < kept[0.5] < kept[1.0]
    assert [len(names) for names in kept.values()] == [20, 100, 200]
    other = open_set(SetConfig(path=str(folder), fraction=0.5, seed=1)).items
    assert {item.instruction for item in other} != kept[0.5]


def turn(image: Image.Image) -> dict:
    exif = image.getexif()
    exif[0x0112] = 6  # to be seen turned by 90 degrees
    return {"exif": exif}


@pytest.mark.parametrize(
    ("mode", "ending", "options"),
    [
        ("RGB", "png", {}),
        ("RGB", "jpg", {}),
        ("L", "png", {}),
        ("LA", "png", {}),
        ("RGBA", "png", {}),
        ("P", "png", {}),
        ("1", "png", {}),
        ("I;16", "png", {}),
        ("CMYK", "jpg", {}),
        ("RGB", "jpg", turn),
        ("RGB", "png", turn),
        ("RGB", "webp", {}),
        ("RGB", "bmp", {}),
    ],
)
def test_images_of_any_kind_are_read_upright_and_measured_alike(
    mode, ending, options, tmp_path
):
    image = Image.fromarray(PIXELS).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    path = tmp_path / f"a.{ending}"
    turned = options is turn
    image.save(path, **(turn(image) if turned else options))
    pixels = load_image(FileImage(str(path)))
    assert pixels.shape == ((40, 30, 3) if turned else (30, 40, 3))
    assert pixels.dtype == np.uint8
    assert measure_image(FileImage(str(path))).size == pixels.shape[1::-1]


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
def test_equal_files_are_one_picture_wherever_they_are(ending, tmp_path):
    rng, digests = np.random.default_rng(1), set()
    for number in range(20):
        place = tmp_path / f"ep_{number}"
        place.mkdir()
        pixels = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"rgb.{ending}")
        content = (place / f"rgb.{ending}").read_bytes()
        (tmp_path / f"{number}.img").write_bytes(content)
        cells = pa.table({"a": [b"another", content]})
        pq.write_table(cells, place / "a.parquet")
        found = {
            measure_image(source).digest
            for source in (
                FileImage(str(place / f"rgb.{ending}")),
                FileImage(str(tmp_path / f"{number}.img")),
                ParquetImage(str(place / "a.parquet"), 0, 1, "a"),
            )
        }
        assert len(found) == 1
        digests |= found
    assert len(digests) == 20


def test_images_that_differ_in_the_middle_alone_are_told_apart(tmp_path):
    digests = set()
    for number in range(20):
        pixels = np.full((60, 80, 3), 255, np.uint8)
        pixels[29:31] = 12 * number
        Image.fromarray(pixels).save(tmp_path / "a.bmp")
        digests.add(measure_image(FileImage(str(tmp_path / "a.bmp"))).digest)
    assert len(digests) == 20


def test_no_image_is_decoded_by_running_it(tmp_path, monkeypatch):
    def run(*_: object) -> None:
        raise AssertionError("a PostScript program was handed to Ghostscript")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path, "eps")
    for read in (load_image, measure_image):
        with pytest.raises(BrokenItem, match="unreadable_image"):
            read(FileImage(str(path)))


def test_what_is_seen_through_is_on_white(tmp_path):
    image = np.zeros((4, 4, 4), np.uint8)
    image[:2, :, 3] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    pixels = load_image(FileImage(str(tmp_path / "a.png")))
    assert (pixels[:2] == 0).all() and (pixels[2:] == 255).all()


OPENING = """
import resource, sys, time
from policy.data.sets import SetConfig, open_set
start = time.process_time()
found = open_set(SetConfig(path=sys.argv[1]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(len(found.items), time.process_time() - start, peak)
"""


@pytest.mark.slow
def test_a_hundred_thousand_items_open_in_seconds_and_little_memory(folder):
    images = folder / "images"
    for number in range(100_000):
        if number % 30_000 == 0:  # a file can have 65,000 names
            Image.fromarray(PIXELS).save(images / f"source{number}.png")
            source = images / f"source{number}.png"
        (images / f"{number}.png").hardlink_to(source)
    write(folder, [{"image": f"images/{number}.png"} for number in range(100_000)])
    done = subprocess.run(
        [sys.executable, "-c", OPENING, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    count, seconds, mebibytes = map(float, done.stdout.split())
    assert count == 100_000
    assert seconds < 10 and mebibytes < 500


VALUES = st.recursive(
    st.none() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
ROWS = st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), max_size=6)


@given(ROWS, st.sampled_from([None, 0, 2]), st.integers(1, 40))
def test_rows_are_read_whatever_piece_of_the_file_they_stand_in(rows, indent, chunk):
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "CHUNK", chunk)
        path = Path(folder) / "rows.json"
        path.write_text(json.dumps(rows, indent=indent), "utf-8")
        assert [*read_json(path)] == rows
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        assert [*read_json(path)] == rows


def test_a_list_that_is_cut_short_is_named(tmp_path):
    (tmp_path / "rows.json").write_text('[{"a": 1}, {"b": ')
    with pytest.raises(ValueError, match="rows.json is not JSON"):
        list(read_json(tmp_path / "rows.json"))


DEEP = "[" * 10**5
LONG = "<image" * 10**5  # searched in the square of its length, for hours


def test_what_is_too_deep_or_too_long_is_one_broken_item(tmp_path):
    (tmp_path / "rows.jsonl").write_text(f'{{"a": 1}}\n{DEEP}\n')
    whole, broken = read_json(tmp_path / "rows.jsonl")
    assert isinstance(broken, BrokenItem) and whole == {"a": 1}
    (tmp_path / "rows.json").write_text(f"[{DEEP}")
    with pytest.raises(ValueError, match="rows.json is nested too deeply"):
        list(read_json(tmp_path / "rows.json"))
    nested = []
    for _ in range(10**4):
        nested = [nested]
    with pytest.raises(BrokenItem, match="wrong_type"):
        read_numbers(nested, (4,))
    with pytest.raises(BrokenItem, match="600000 characters"):
        read_task(LONG)
    turns = [{"from": ["human"], "value": ""}, {"from": "human", "value": "x"}]
    for said in (LONG, 7):
        with pytest.raises(BrokenItem, match="wrong_type"):
            read_conversation(
                {"conversations": [*turns, {"from": "gpt", "value": said}]}
            )


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../b", "a\0b"])
def test_no_item_names_a_file_outside_its_set(name, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"")
    (tmp_path / "set" / "a").mkdir(parents=True)
    with pytest.raises(BrokenItem, match="outside the set"):
        find_image(tmp_path / "set", name)


def test_bytes_of_an_image_need_no_file():
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "png")

    class InMemory:
        def read(self) -> bytes:
            return buffer.getvalue()

    assert np.array_equal(load_image(InMemory()), PIXELS)
    assert measure_image(InMemory()).size == (40, 30)
