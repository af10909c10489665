"""LLARVA's vision-action instruction tuning (VAIT): a JSON list of conversations.

    {"id": 0, "image": "images/0.png", "conversations": [
        {"from": "human", "value": '<image> You are a Franka robot ... The task is
         "...", and the previous five (including current) steps are ... Can you predict
         the 2D visual trace of the end effector and the action of the next 1 step?'},
        {"from": "gpt", "value": "The next action step: [...]. The visual trace:
         [[x, y], ...]"}]}

Of the answer the points are read, in pixels, and the action is not.
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
    "<image>\nYou are a Franka robot using the joint control. "
    'The task is "{task}". Can you predict the 2D visual trace of the end effector?'
)
ANSWERED = "The visual trace: {path}"


def read(path: Path) -> Iterator[Item | BrokenItem]:
    """Yields the items of a file, or of all JSON files in a directory."""
    for file in find_files(path, "*.json"):
        for number, row in enumerate(read_json(file)):
            try:
                yield _read_row(file, number, row)
            except BrokenItem as error:
                yield error


def _read_row(file: Path, number: int, row: Any) -> Item:
    question, answer = read_conversation(row)
    points = find_lists(answer, 2)
    if not points:
        raise BrokenItem("missing_field", f"no points in {answer!r}")
    return Item(
        name=f"{file.name} {number}",
        image=FileImage(find_image(file.parent, take(row, "image"), "images")),
        instruction=read_task(question),
        waypoints=points,
        category=take_text(row, "category"),
        split=file.stem,
    )


def write(samples: Iterable[Sample], folder: Path) -> int:
    """Writes the path of each sample; returns how many."""
    rows = []
    for number, sample in enumerate(samples):
        name = f"images/{number:06d}.png"
        save_image(sample.image, folder / name)
        asked = ASKED.format(task=sample.instruction)
        answer = ANSWERED.format(path=spell(sample.pixel_path))
        row = {"id": number, "image": name, "category": sample.category}
        rows.append(row | {"conversations": converse(asked, answer)})
    write_json(folder / "train.json", rows)
    return len(rows)
