"""VABench (Embodied-R1): parquet files of `id, problem, images, answer`.

    VABench-V  <type>fsd_visual_trace</type>{"trajectory": [[x, y], ...]}
    VABench-P  <type>fsd_free_point</type>{"bbox": [x1, y1, x2, y2]}

Pixels of the image, whose bytes are in the first entry of `images`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from policy.data.formats.rows import find_files, take, take_text
from policy.data.formats.words import check_text, read_task
from policy.data.images import ParquetImage, encode_png
from policy.data.records import BrokenItem, Item, Sample
from policy.data.tables import read_parquet

TYPE = re.compile(r"<type>.*?</type>", re.S)
COLUMNS = ("id", "problem", "answer", "category")
GROUP = 100  # rows that are read together with one of their images
ASKED = (
    "<image> You are currently a robot performing robotic manipulation tasks. "
    "The task instruction is: {task}. Use 2D points to mark {wanted}."
)
PATH_WANTED = "the manipulated object-centric waypoints"
BOX_WANTED = "the region mentioned in the task"


def read(path: Path) -> Iterator[Item | BrokenItem]:
    """Yields the items of a file, or of all parquet files below a directory."""
    for file in find_files(path, "*.parquet"):
        for group, number, row in read_parquet(file, COLUMNS, ("images",)):
            try:
                yield _read_row(file, group, number, row)
            except BrokenItem as error:
                yield error


def _read_row(file: Path, group: int, number: int, row: Any) -> Item:
    answer = _read_answer(take(row, "answer"))
    if "trajectory" not in answer and "bbox" not in answer:
        raise BrokenItem("missing_field", "trajectory or bbox")
    return Item(
        name=f"{file.name} {row.get('id', number)}",
        image=ParquetImage(str(file), group, number, "images"),
        instruction=read_task(take(row, "problem")),
        box=answer.get("bbox"),
        waypoints=answer.get("trajectory"),
        category=take_text(row, "category"),
        split=file.stem,
    )


def _read_answer(text: Any) -> dict[str, Any]:
    try:
        answer = json.loads(TYPE.sub("", check_text(text)))
    except (ValueError, RecursionError) as error:  # also a number of 4300 digits
        raise BrokenItem("bad_json", error) from None
    if not isinstance(answer, dict):
        raise BrokenItem("wrong_type", answer)
    return answer


def write(samples: Iterable[Sample], folder: Path) -> int:
    """Writes the path and the box of each sample; returns how many samples."""
    count = 0
    with (
        _Table(folder / "vabench-v.parquet") as paths,
        _Table(folder / "vabench-p.parquet") as boxes,
    ):
        for count, sample in enumerate(samples, start=1):
            path = {"trajectory": sample.pixel_path}
            paths.add(count, sample, PATH_WANTED, ("fsd_visual_trace", path))
            box = {"bbox": sample.pixel_box}
            boxes.add(count, sample, BOX_WANTED, ("fsd_free_point", box))
    return count


class _Table:
    """A parquet file that grows by rows; a context manager."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {name: pa.string() for name in COLUMNS}
        self._schema = pa.schema(kinds | {"images": pa.list_(pa.binary())})
        self._writer = pq.ParquetWriter(path, self._schema)
        self._rows: list[dict[str, Any]] = []

    def add(
        self, number: int, sample: Sample, wanted: str, answer: tuple[str, Any]
    ) -> None:
        kind, content = answer
        self._rows.append(
            {
                "id": f"graspo_{number - 1}",
                "problem": ASKED.format(task=sample.instruction, wanted=wanted),
                "answer": f"<type>{kind}</type>{json.dumps(content)}",
                "category": sample.category,
                "images": [encode_png(sample.image)],
            }
        )
        if len(self._rows) == GROUP:
            self._flush(self._rows)

    def _flush(self, rows: Sequence[dict[str, Any]]) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(list(rows), self._schema))
        self._rows = []

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, *error: object) -> None:
        if self._rows:
            self._flush(self._rows)
        self._writer.close()
