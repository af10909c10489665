"""A stranger's set, however small its files, costs neither the memory nor the day."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
from files import paint
from PIL import Image

from policy.data import bounds, sets, tables
from policy.data.formats import rows as rows_module
from policy.data.formats.rows import read_json
from policy.data.images import FileImage, ParquetImage, load_image, measure_image
from policy.data.records import BrokenItem
from policy.data.sets import FORMATS, SetConfig, open_set
from policy.data.tables import read_parquet

LABEL = np.zeros((48, 64), np.uint8)
LABEL[10:20, 10:30] = 1
JSON_FILES = {
    "graspo": "items.jsonl",
    "sharerobot": "trajectory.json",
    "sharerobot_bench": "test.json",
    "masks": "question.json",
    "llarva": "train.json",
}


@pytest.fixture(autouse=True)
def _in_a_minute() -> Iterator[None]:
    """Whoever waits for a pipe waits for ever: the alarm ends the test instead."""

    def stop(*_: object) -> None:
        pytest.fail("something is waited for")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def bind(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)  # a socket's address has 107 bytes
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


STRANGE: dict[str, Callable[[Path], Any]] = {
    "pipe": os.mkfifo,
    "directory": Path.mkdir,
    "socket": bind,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link to a pipe": lambda path: (
        os.mkfifo(path.with_name("pipe")),
        path.symlink_to("pipe"),
    ),
}
strange = pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)


def stem_of(folder: Path, number: int) -> Path:
    return folder / "tools" / "mug_01" / f"mug_01_{number:08d}"


def add_frame(folder: Path, number: int, label: Any = LABEL) -> None:
    """Writes a frame of UMD; a label may also be the bytes of a file."""
    stem = stem_of(folder, number)
    paint(Path(f"{stem}_rgb.jpg"))
    file = Path(f"{stem}_label.mat")
    if isinstance(label, bytes):
        file.write_bytes(label)
    else:
        scipy.io.savemat(str(file), {"gt_label": label}, do_compression=True)


def open_umd(folder: Path) -> sets.AnnotatedSet:
    return open_set(SetConfig(path=str(folder), format="umd"), "affordance")


@strange
def test_umd_takes_files_alone_for_its_labels(make, tmp_path):
    add_frame(tmp_path, 0)
    make(Path(f"{stem_of(tmp_path, 1)}_label.mat"))
    found = open_umd(tmp_path)
    assert len(found.items) == 1 and not found.broken


@strange
def test_umd_takes_files_alone_for_its_images(make, tmp_path):
    for number in range(6):
        add_frame(tmp_path, number)
    image = Path(f"{stem_of(tmp_path, 5)}_rgb.jpg")
    image.unlink()
    make(image)
    found = open_umd(tmp_path)
    assert len(found.items) == 5 and found.count_broken() == {"missing_image": 1}


@strange
def test_what_is_no_file_is_neither_measured_nor_read(make, tmp_path):
    make(tmp_path / "a.png")
    for read in (measure_image, load_image):
        with pytest.raises(BrokenItem, match="regular file|No such device"):
            read(FileImage(str(tmp_path / "a.png")))


@strange
@pytest.mark.parametrize("name", FORMATS)
def test_no_format_opens_what_is_no_file(name, make, tmp_path):
    inside = tmp_path / "mug_01"
    inside.mkdir()
    names = JSON_FILES | {"umd": "a_label.mat", "vabench": "a.parquet"}
    make(inside / names[name])
    for path in (tmp_path, inside / names[name]):
        with pytest.raises(FileNotFoundError, match="there"):
            list(FORMATS[name].read(path))


def pack(label: np.ndarray, told: tuple[int, int]) -> bytes:
    """A MATLAB file that packs a label and calls it so large."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"gt_label": label})
    header, body = buffer.getvalue()[:128], buffer.getvalue()[128:]
    sizes = struct.pack("<2i", *label.shape), struct.pack("<2i", *told)
    packed = zlib.compress(body.replace(*sizes))
    return header + struct.pack("<2I", 15, len(packed)) + packed


def test_a_small_label_reads_however_it_is_packed(tmp_path):
    add_frame(tmp_path, 0, pack(LABEL, LABEL.shape))
    for number, options in enumerate(({"format": "4"}, {"do_compression": False}), 1):
        add_frame(tmp_path, number)
        file = f"{stem_of(tmp_path, number)}_label.mat"
        scipy.io.savemat(file, {"more": "words", "gt_label": LABEL}, **options)
    boxes = [item.box for item in open_umd(tmp_path).items]
    assert boxes == [(10 / 64, 10 / 48, 30 / 64, 20 / 48)] * 3


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (np.ones((60, 80), np.uint8), "gt_label is 80 x 60; at most 3072 pixels"),
        (pack(np.ones((300, 300), np.uint8), (10, 10)), "unpacks to more than 50000"),
        (bytes(50_001), "50001 bytes, at most 50000"),
    ],
)
def test_a_label_that_is_too_large_is_not_unpacked(
    label, message, tmp_path, monkeypatch
):
    monkeypatch.setattr(bounds, "MOST_PIXELS", 48 * 64)
    monkeypatch.setattr(bounds, "MOST_BYTES", 50_000)
    for number in range(5):
        add_frame(tmp_path, number, label if number == 4 else LABEL)
    found = open_umd(tmp_path)
    assert len(found.items) == 4 and found.count_broken() == {"too_large": 1}
    assert message in found.broken[0]["detail"]


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
def test_an_image_that_is_too_large_is_not_decoded(ending, tmp_path, monkeypatch):
    image = FileImage(str(paint(tmp_path / f"a.{ending}", 64, 49)))
    assert measure_image(image).size == (64, 49)
    assert load_image(image).shape == (49, 64, 3)
    monkeypatch.setattr(bounds, "MOST_PIXELS", 48 * 64)
    for read in (measure_image, load_image):
        with pytest.raises(BrokenItem, match="64 x 49; at most 3072 pixels") as caught:
            read(image)
        assert caught.value.reason == "too_large"


def test_an_image_of_too_many_bytes_is_not_read(tmp_path):
    path = paint(tmp_path / "a.png")
    with path.open("r+b") as file:
        file.truncate(bounds.MOST_BYTES + 1)  # of which next to nothing is on disk
    for read in (measure_image, load_image):
        with pytest.raises(BrokenItem, match="too_large"):
            read(FileImage(str(path)))


def test_a_mask_that_is_too_large_is_one_broken_item(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_PIXELS", 48 * 64)
    rows = []
    for number in range(5):
        paint(tmp_path / f"{number}.png", 64, 49 if number == 4 else 48)
        names = {"rgb_path": "0.png", "mask_path": f"{number}.png"}
        rows.append(names | {"prompt": "point at it"})
    (tmp_path / "question.json").write_text(json.dumps(rows))
    found = open_set(SetConfig(path=str(tmp_path), format="masks"), "affordance")
    assert len(found.items) == 4 and found.count_broken() == {"too_large": 1}


def repeat(value: Any, count: int, kind: pa.DataType | None = None) -> pa.Array:
    """A column that says the same so many times, which a file has once."""
    places = pa.array(np.zeros(count, np.int32))
    return pa.DictionaryArray.from_arrays(places, pa.array([value], kind))


def write_table(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path, compression="zstd", row_group_size=10**7)
    return path


ANSWER = '{"bbox": [16, 12, 32, 24]}'


def test_a_file_with_more_rows_than_its_bytes_can_mean_is_refused(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(bounds, "MOST_BYTES", 2**20)
    words = repeat("lift it", 3000)
    path = write_table(tmp_path / "a.parquet", {"problem": words, "images": words})
    with pytest.raises(ValueError, match=r"a\.parquet unpacks to .* at most 1\d{6} "):
        next(read_parquet(path, ["problem"], ["images"]))


def test_texts_that_repeat_are_read_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_BYTES", 2**20)
    words = repeat("x" * 50_000, 400)
    path = write_table(tmp_path / "a.parquet", {"problem": words})
    rows, pool = read_parquet(path, ["problem"]), pa.default_memory_pool()
    before = pool.bytes_allocated()
    assert next(rows)[2] == {"problem": "x" * 50_000}
    assert pool.bytes_allocated() - before < 4 * 2**20
    with pytest.raises(ValueError, match=r"a\.parquet unpacks to .* at most 1\d{6} "):
        list(rows)


@pytest.mark.parametrize("kind", ["plain", "dictionary", "list", "struct"])
def test_an_image_is_not_repeated_without_end(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_BYTES", 2**18)
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "png")
    images = repeat(buffer.getvalue(), 400, pa.binary())
    if kind == "plain":
        images = images.cast(pa.binary())
    elif kind == "list":
        images = pa.ListArray.from_arrays(np.arange(401, dtype=np.int32), images)
    elif kind == "struct":
        images = pa.StructArray.from_arrays([images], ["bytes"])
    columns = {"problem": repeat("lift it", 400), "answer": repeat(ANSWER, 400)}
    columns["images"] = images
    config = SetConfig(path=str(tmp_path), format="vabench")
    write_table(tmp_path / "a.parquet", columns)
    with pytest.raises(ValueError, match=r"a\.parquet unpacks to .* of \d+ bytes"):
        open_set(config, "affordance")
    tables.read_column.cache_clear()
    write_table(tmp_path / "a.parquet", {k: v[:90] for k, v in columns.items()})
    assert len(open_set(config, "affordance").items) == 90


def test_a_list_with_more_values_than_its_bytes_can_mean_is_refused(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(bounds, "MOST_BYTES", 2**20)
    ends = pa.array([0, 2 * 10**5], pa.int32())
    images = pa.ListArray.from_arrays(ends, pa.nulls(2 * 10**5, pa.binary()))
    path = write_table(tmp_path / "a.parquet", {"problem": ["x"], "images": images})
    with pytest.raises(ValueError, match=r"a\.parquet unpacks to"):
        list(read_parquet(path, ["problem"], ["images"]))
    write_table(path, {"problem": [["x"]]})
    with pytest.raises(ValueError, match=r"column problem has list<.*>, not text"):
        list(read_parquet(path, ["problem"]))


@pytest.mark.parametrize("name", ["vabench", "masks"])
def test_a_row_of_a_table_that_is_too_large_is_one_broken_item(
    name, tmp_path, monkeypatch
):
    monkeypatch.setattr(bounds, "MOST_ROW", 100)
    image = [paint(tmp_path / "a.png").read_bytes()] * 5
    columns = {"problem": ["lift it"] * 5, "answer": [ANSWER] * 5, "images": image}
    if name == "masks":
        columns = {"prompt": ["lift it"] * 5, "image": image, "mask": image}
    columns["category"] = ["a"] * 4 + ["a" * 100]
    write_table(tmp_path / "a.parquet", columns)
    found = open_set(SetConfig(path=str(tmp_path), format=name), "affordance")
    assert len(found.items) == 4 and found.count_broken() == {"too_large": 1}


@pytest.mark.parametrize(
    "cell",
    [b"it", [b"it", b"other"], {"bytes": b"it"}, [{"bytes": b"it", "path": "a"}]],
)
def test_of_a_cell_the_first_image_is_read(cell, tmp_path):
    path = write_table(tmp_path / "a.parquet", {"a": [None, cell]})
    assert ParquetImage(str(path), 0, 1, "a").read() == b"it"
    with pytest.raises(FileNotFoundError, match="row 0: no image"):
        ParquetImage(str(path), 0, 0, "a").read()


@pytest.mark.parametrize("cell", ["it", 7, [], [None], ["it"], {"path": "a"}])
def test_a_cell_without_an_image_is_a_missing_one(cell, tmp_path):
    path = write_table(tmp_path / "a.parquet", {"a": [cell]})
    with pytest.raises(BrokenItem, match="missing_image"):
        measure_image(ParquetImage(str(path), 0, 0, "a"))


@pytest.mark.parametrize("name", JSON_FILES)
def test_a_line_that_is_too_large_is_one_broken_item(name, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_ROW", 1000)
    monkeypatch.setattr(rows_module, "CHUNK", 100)
    large = json.dumps({"id": "x" * 5000})
    path = tmp_path / JSON_FILES[name]
    path.write_text(f'{{"a": 1}}\n{large}\n{{"b": 2}}\n{large}')
    reasons = [getattr(row, "reason", row) for row in read_json(path)]
    assert reasons == [{"a": 1}, "too_large", {"b": 2}, "too_large"]
    found = [item.reason for item in FORMATS[name].read(tmp_path)]
    assert found[1::2] == ["too_large"] * 2 and found[0] == "missing_field"


@pytest.mark.parametrize("size", [1001, 5000, 10**6])
def test_a_list_with_a_row_that_is_too_large_is_named(size, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MOST_ROW", 1000)
    monkeypatch.setattr(rows_module, "CHUNK", 3000)
    whole = [{"a": "x" * 900}] * 10
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([*whole, {"a": "x" * size}, *whole]))
    rows = read_json(path)
    assert [next(rows) for _ in whole] == whole
    with pytest.raises(ValueError, match=r"rows\.json has a row of more than 1000 "):
        next(rows)


def test_a_large_row_of_a_list_is_decoded_a_few_times(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "CHUNK", 100)
    path, calls = tmp_path / "rows.json", []
    path.write_text(json.dumps([{"a": "x" * 2**20}, {"a": 1}]))
    decode = json.JSONDecoder.raw_decode

    def count(*given: Any) -> Any:
        calls.append(given)
        return decode(*given)

    monkeypatch.setattr(json.JSONDecoder, "raw_decode", count)
    assert len(list(read_json(path))) == 2
    assert len(calls) < 25


def test_a_number_of_too_many_digits_is_not_json(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(f'{{"a": 1}}\n{{"a": {"9" * 5000}}}\n')
    whole, broken = read_json(path)
    assert whole == {"a": 1} and broken.reason == "bad_json"
    path.write_text(f"[{'9' * 5000}]")
    with pytest.raises(ValueError, match=r"rows\.json is not JSON"):
        list(read_json(path))
    answers = [ANSWER] * 2 + [f'{{"bbox": {"9" * 5000}}}']
    columns = {"problem": ["lift it"] * 3, "answer": answers, "images": [b"it"] * 3}
    write_table(tmp_path / "a.parquet", columns)
    found = list(FORMATS["vabench"].read(tmp_path))
    assert [getattr(item, "reason", "") for item in found] == ["", "", "bad_json"]


def test_a_set_of_which_too_much_is_broken_is_given_up_before_its_end(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sets, "MANY", 100)
    (tmp_path / "items.jsonl").write_text("1\n" * 10_000)
    with pytest.raises(ValueError, match="100 of 100 items are broken"):
        open_set(SetConfig(path=str(tmp_path)))
