"""Points in masks: RefSpatial-Bench's folders, and parquet files of `image, mask`.

    Location/question.json  {"id", "object", "prompt", "suffix", "rgb_path",
                             "mask_path", "category", "step"}
    *.parquet               `question` (or `instruction`, `prompt`), `image`, `mask`, as
                            Where2Place and Part-Afford are published

A mask stands for the tight box around it: what a policy is asked for is a box.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policy.data.formats.rows import (
    find_files,
    find_image,
    read_json,
    take,
    write_json,
)
from policy.data.formats.words import read_task
from policy.data.images import FileImage, ParquetImage, load_image, save_image
from policy.data.records import UNITS, BrokenItem, Item, Sample, Source
from policy.data.tables import read_parquet

ASKED = ("question", "instruction", "prompt")
NAMED = ("category", "question_type")


def read(path: Path) -> Iterator[Item | BrokenItem]:
    """Yields the items of a file, or of all fitting files below a directory."""
    for file in find_files(path, "question.json", "*.parquet"):
        rows = _read_folder(file) if file.suffix == ".json" else _read_table(file)
        for name, image, mask, row in rows:
            try:
                yield _read_row(name, image(), mask(), row)
            except BrokenItem as error:
                yield error


def _read_folder(file: Path) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yields name, ways to the image and the mask, and content of a row."""
    for number, row in enumerate(read_json(file)):
        yield (
            f"{file.parent.name}/{file.name} {number}",
            lambda row=row: FileImage(find_image(file.parent, take(row, "rgb_path"))),
            lambda row=row: FileImage(find_image(file.parent, take(row, "mask_path"))),
            row,
        )


def _read_table(file: Path) -> Iterator[tuple[str, Any, Any, Any]]:
    rows = read_parquet(file, (*ASKED, *NAMED), ("image", "mask"))
    for group, number, row in rows:
        image = ParquetImage(str(file), group, number, "image")
        mask = ParquetImage(str(file), group, number, "mask")
        yield (
            f"{file.name} {group}/{number}",
            lambda image=image: image,
            lambda mask=mask: mask,
            row,
        )


def _read_row(name: str, image: Source, mask: Source, row: Any) -> Item:
    instruction = read_task(_find(row, ASKED))
    return Item(
        name=name,
        image=image,
        instruction=instruction,
        box=bound(load_image(mask).max(axis=2) > 0),
        units=UNITS,
        category=str(_find(row, NAMED, "")),
        split="test",
    )


def _find(row: Any, names: Sequence[str], other: str | None = None) -> Any:
    """The first of some fields that a row has."""
    if not isinstance(take(row), dict):
        raise BrokenItem("wrong_type", row)
    for name in names:
        if row.get(name) is not None:
            return row[name]
    if other is None:
        raise BrokenItem("missing_field", " or ".join(names))
    return other


def bound(marked: NDArray[np.bool_]) -> list[float]:
    """Returns the tight box around marked pixels, in image units.

    Raises:
        BrokenItem: None is marked.
    """
    columns, rows = (np.flatnonzero(marked.any(axis=axis)) for axis in (0, 1))
    if not len(rows):
        raise BrokenItem("empty_mask")
    height, width = marked.shape
    return [
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    ]


def write(samples: Iterable[Sample], folder: Path) -> int:
    """Writes the part of each sample as a mask; returns how many."""
    rows = []
    for number, sample in enumerate(samples):
        place, name = folder / "Location", f"{number:06d}.png"
        save_image(sample.image, place / "image" / name)
        save_image(255 * sample.part.astype(np.uint8), place / "mask" / name)
        rows.append(
            {
                "id": number,
                "object": sample.thing,
                "prompt": sample.instruction,
                "suffix": "Your answer should be formatted as a list of tuples.",
                "rgb_path": f"image/{name}",
                "mask_path": f"mask/{name}",
                "category": sample.category,
                "step": 1,
            }
        )
    write_json(folder / "Location" / "question.json", rows)
    return len(rows)
