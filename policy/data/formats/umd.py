"""The UMD part affordance data set: a class of use for each pixel of a tool.

    tools/<tool_NN>/<tool_NN>_<frame>_rgb.jpg, ..._label.mat   (480 x 640)
    category_split.txt, novel_split.txt                        lines "1|2 tool_NN"

`gt_label` in label.mat numbers the uses. Each use that a frame shows is an item: the
tight box around its pixels. Only frames with a label.mat count: people labelled every
third. The set has no instructions; they are made of the use and the tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from policy.data.formats.labels import read_matrix
from policy.data.formats.masks import bound
from policy.data.formats.rows import find_files, find_image
from policy.data.images import FileImage, save_image
from policy.data.records import UNITS, BrokenItem, Item, Sample

LABEL = "_label.mat"
USES = {
    1: ("grasp", "grasp the {}"),
    2: ("cut", "cut with the {}"),
    3: ("scoop", "scoop with the {}"),
    4: ("contain", "put something into the {}"),
    5: ("pound", "pound with the {}"),
    6: ("support", "put something on the {}"),
    7: ("wrap-grasp", "wrap the hand around the {}"),
}
"""Number of a use to its name and what is asked."""

SPLIT_FILES = ("category_split.txt", "novel_split.txt")
PARTS = {"1": "train", "2": "test"}


def read(path: Path) -> Iterator[Item | BrokenItem]:
    """Yields an item for each use in each labelled frame.

    Args:
        path: The set's directory, by its category split if it has one; or one of the
            split files, by that one.

    Raises:
        FileNotFoundError: There is no labelled frame.
    """
    folder, parts = _read_split(path)
    for label in find_files(folder, f"*{LABEL}"):
        tool = label.parent.name
        try:
            yield from _read_frame(label, tool, parts.get(tool, ""))
        except BrokenItem as error:
            yield error


def _read_split(path: Path) -> tuple[Path, dict[str, str]]:
    """The set's directory, and which part of it each tool belongs to."""
    file = path if path.is_file() else path / SPLIT_FILES[0]
    if not file.is_file():
        return path, {}
    rows = [line.split() for line in file.read_text("utf-8").splitlines()]
    return file.parent, {r[1]: PARTS.get(r[0], r[0]) for r in rows if len(r) == 2}


def _read_frame(label: Path, tool: str, part: str) -> Iterator[Item]:
    frame = label.name.removesuffix(LABEL)
    uses = read_matrix(label, "gt_label")
    kind = tool.rpartition("_")[0] or tool
    for number, (name, words) in USES.items():
        marked = uses == number
        if marked.any():
            yield Item(
                name=f"{frame} {name}",
                image=FileImage(find_image(label.parent, f"{frame}_rgb.jpg")),
                instruction=words.format(kind.replace("_", " ")),
                box=bound(marked),
                units=UNITS,
                category=name,
                split=part,
            )


def write(samples: Iterable[Sample], folder: Path) -> int:
    """Writes each sample's part as one to grasp; returns how many samples."""
    import scipy.io

    count, split = 0, []
    for count, sample in enumerate(samples, start=1):
        tool = f"{sample.thing}_{count:02d}"
        stem = folder / "tools" / tool / f"{tool}_{0:08d}"
        save_image(sample.image, stem.with_name(f"{stem.name}_rgb.jpg"))
        label = {"gt_label": sample.part.astype(np.uint8)}
        path = stem.with_name(stem.name + LABEL)
        scipy.io.savemat(str(path), label, do_compression=True)
        split.append(f"{1 if sample.split == 'train' else 2} {tool}\n")
    (folder / SPLIT_FILES[0]).write_text("".join(split), "utf-8")
    return count
