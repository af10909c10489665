"""ShareRobot-Bench: `affordance/test.json` and `trajectory/test.json`.

    {"id": 7, "image": "images/7.png", "conversations": [
        {"from": "human", "value": '<image>... The task is "...". Please predict ...'},
        {"from": "gpt", "value": "[x1, y1, x2, y2]"}]}

Of a trajectory `image` is a list and the answer a list of points. Numbers are fractions
of the image if all are at most 1, else pixels, as the benchmark's own scorer has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from policy.data.formats.rows import (
    find_files,
    find_image,
    read_json,
    take,
    take_text,
    write_json,
)
from policy.data.formats.words import (
    converse,
    find_lists,
    read_conversation,
    read_task,
    spell,
)
from policy.data.images import FileImage, save_image
from policy.data.records import BrokenItem, Item, Sample

ASKED = (
    "<image>You are a robot using the joint control. "
    'The task is "{task}". Please predict {wanted}.'
)
BOX_WANTED = "a possible affordance area of the end effector"
PATH_WANTED = "up to 10 key trajectory points to complete the task"


def read(path: Path) -> Iterator[Item | BrokenItem]:
    """Yields the items of a file, or of all `test.json` below a directory."""
    for file in find_files(path, "test.json"):
        for number, row in enumerate(read_json(file)):
            try:
                yield _read_row(file, number, row)
            except BrokenItem as error:
                yield error


def _read_row(file: Path, number: int, row: Any) -> Item:
    question, answer = read_conversation(row)
    boxes, points = find_lists(answer, 4), find_lists(answer, 2)
    if len(boxes) != 1 and not points:
        raise BrokenItem("missing_field", f"no box, no points in {answer!r}")
    return Item(
        name=f"{file.parent.name}/{file.name} {number}",
        image=FileImage(find_image(file.parent, take(row, "image"), "images")),
        instruction=read_task(question),
        box=None if points else boxes[0],
        waypoints=points or None,
        units=None,
        category=take_text(row, "category"),
        split="test",
    )


def write(samples: Iterable[Sample], folder: Path) -> int:
    """Writes the box and the path of each sample; returns how many samples."""
    boxes, paths = [], []
    for number, sample in enumerate(samples):
        name = f"images/{number:06d}.png"
        for part in ("affordance", "trajectory"):
            save_image(sample.image, folder / part / name)
        row = {"id": number, "category": sample.category}
        box, path = spell(sample.pixel_box), spell(sample.pixel_path)
        asked = ASKED.format(task=sample.instruction, wanted=BOX_WANTED)
        boxes.append(row | {"image": name, "conversations": converse(asked, box)})
        asked = ASKED.format(task=sample.instruction, wanted=PATH_WANTED)
        paths.append(row | {"image": [name], "conversations": converse(asked, path)})
    write_json(folder / "affordance" / "test.json", boxes)
    write_json(folder / "trajectory" / "test.json", paths)
    return len(boxes)
