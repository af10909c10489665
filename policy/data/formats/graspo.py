"""Our own format: `items.jsonl`, one annotated image a line, and `images/`.

    {"id": 0, "image": "images/000000.png", "width": 224, "height": 224,
     "instruction": "lift the red mug by its handle",
     "box": [x1, y1, x2, y2], "waypoints": [[x, y], ...],
     "thought": "", "category": "pick_mug", "split": "train", "scene": {...}}

Numbers are fractions 0..1 of the image's width and height; a third number of a waypoint
is its height above the table in metres. `image`, `instruction` and one of `box` and
`waypoints` are needed; `scene` are the fields of `envs.SceneConfig` that make the scene
again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from policy.data.formats.rows import (
    find_files,
    find_image,
    read_json,
    take,
    take_text,
)
from policy.data.images import FileImage, save_image
from policy.data.records import UNITS, BrokenItem, Item, Sample

FILE = "items.jsonl"


def read(path: Path) -> Iterator[Item | BrokenItem]:
    """Yields the items of a file or of all `items.jsonl` below a directory."""
    for file in find_files(path, FILE):
        for number, row in enumerate(read_json(file)):
            try:
                yield _read_row(file, number, row)
            except BrokenItem as error:
                yield error


def _read_row(file: Path, number: int, row: Any) -> Item:
    return Item(
        name=f"{file.name} {number}",
        image=FileImage(find_image(file.parent, take(row, "image"))),
        instruction=take(row, "instruction"),
        box=row.get("box"),
        waypoints=row.get("waypoints"),
        units=UNITS,
        category=take_text(row, "category"),
        split=take_text(row, "split"),
    )


def write(samples: Iterable[Sample], folder: Path) -> int:
    """Writes samples; returns how many."""
    count = 0
    with (folder / FILE).open("w", encoding="utf-8") as file:
        for count, sample in enumerate(samples, start=1):
            name = f"images/{count - 1:06d}.png"
            save_image(sample.image, folder / name)
            row = describe(sample, count - 1, name)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count


def describe(sample: Sample, number: int, image: str) -> dict[str, Any]:
    """Returns a sample as plain data for JSON."""
    width, height = sample.size
    return {
        "id": number,
        "image": image,
        "width": width,
        "height": height,
        "instruction": sample.instruction,
        "box": sample.box,
        "waypoints": sample.waypoints,
        "thought": sample.thought,
        "category": sample.category,
        "split": sample.split,
        "scene": dict(sample.scene),
    }
