"""ShareRobot: `affordance/affordance.json` and `trajectory/trajectory.json`.

    {"id": 2486, "meta_data": {"original_dataset": "bridge", "original_width": 640,
     "original_height": 480}, "instruction": "place the red fork ...",
     "affordance": {"x": 352.9, "y": 186.5, "width": 19.3, "height": 14.5}}
    {"id": 456, ..., "instruction": "reach for the carrot", "points": [[x, y], ...]}

Pixels of the original image, (x, y) the upper left corner. Images are found by the id,
a number or a path, in `images/` or beside the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from policy.data.checking import read_numbers
from policy.data.formats.rows import (
    find_files,
    find_image,
    read_json,
    take,
    take_text,
    write_json,
)
from policy.data.images import FileImage, save_image
from policy.data.records import BrokenItem, Item, Sample

CORNER = ("x", "y", "width", "height")


def read(path: Path) -> Iterator[Item | BrokenItem]:
    """Yields the items of a file, or of both files below a directory."""
    for file in find_files(path, "affordance.json", "trajectory.json"):
        for number, row in enumerate(read_json(file)):
            try:
                yield _read_row(file, number, row)
            except BrokenItem as error:
                yield error


def _read_row(file: Path, number: int, row: Any) -> Item:
    image = FileImage(find_image(file.parent, take(row, "id"), "images"))
    about = take(row, "meta_data")
    size = tuple(take(about, f"original_{side}") for side in ("width", "height"))
    points = row.get("points")
    if points is None:
        given = [take(row, "affordance", name) for name in CORNER]
        corner, extent = np.split(read_numbers(given, (4,)), 2)
        box = [*corner.tolist(), *(corner + extent).tolist()]
    else:
        box = None
    return Item(
        name=f"{file.name} {number}",
        image=image,
        instruction=take(row, "instruction"),
        box=box,
        waypoints=points,
        units=(size[0], size[1]),
        category=take_text(about, "original_dataset"),
        split=take_text(about, "split"),
    )


def write(samples: Iterable[Sample], folder: Path) -> int:
    """Writes the box and the path of each sample; returns how many samples."""
    boxes, paths = [], []
    for number, sample in enumerate(samples):
        name = f"{number:06d}.png"
        for part in ("affordance", "trajectory"):
            save_image(sample.image, folder / part / "images" / name)
        width, height = sample.size
        row = {
            "id": name,
            "meta_data": {
                "original_dataset": sample.category,
                "original_width": width,
                "original_height": height,
                "split": sample.split,
            },
            "instruction": sample.instruction,
        }
        left, top, right, bottom = sample.pixel_box
        extent = (left, top, right - left, bottom - top)
        boxes.append(row | {"affordance": dict(zip(CORNER, extent, strict=True))})
        paths.append(row | {"points": sample.pixel_path})
    write_json(folder / "affordance" / "affordance.json", boxes)
    write_json(folder / "trajectory" / "trajectory.json", paths)
    return len(boxes)
