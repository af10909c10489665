"""How much a stranger's file may ask for: more is one line, not a full memory."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

MOST_ELEMENTS = 20_000  # of XML, each counted as often as it is replicated
MOST_BYTES = 64 << 20  # of a file that is named, such as a mesh
MOST_TEXELS = 4096 * 4096  # of a picture; a wider one needs 50 MB and more
MANY = ("replicate", "flexcomp", "composite")  # elements with a `count`


def check_file(path: Path) -> None:
    """Refuses an MJCF file that grows too large when it is read.

    Raises:
        ValueError: It is no XML, or asks for too much; names file and element.
    """
    count = _count(path, path.parent, 1, ())
    if count > MOST_ELEMENTS:
        raise ValueError(f"{path} has {count} elements; at most {MOST_ELEMENTS}")


def check_size(path: Path, element: str, file: Path) -> None:
    """Refuses a file that an element of an MJCF file names, if it is too large."""
    size = file.stat().st_size if file.is_file() else 0
    if size > MOST_BYTES:
        raise ValueError(
            f"{path}, {element}: {file.name} has {size >> 20} MB; "
            f"at most {MOST_BYTES >> 20}"
        )


def check_picture(path: Path, element: str, width: int, height: int) -> None:
    """Refuses a picture or height field that is too large."""
    if width * height > MOST_TEXELS:
        raise ValueError(
            f"{path}, {element} is {width} x {height}; at most {MOST_TEXELS} texels"
        )


def _count(path: Path, base: Path, times: int, above: tuple[Path, ...]) -> int:
    """How many elements a file has, with those of its includes."""
    if path in above:
        raise ValueError(f"{path} includes itself")
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: no XML: {error}") from error
    except OSError as error:
        raise ValueError(f"{above[-1]}: cannot read the included {path}") from error
    return _count_below(root, base, times, (*above, path))


def _count_below(
    element: ElementTree.Element, base: Path, times: int, files: tuple[Path, ...]
) -> int:
    if element.tag == "include":
        file = element.get("file", "").replace("\\", "/")
        near = files[-1].parent / file
        found = base / file if (base / file).is_file() else near
        return _count(found, base, times, files)
    times *= _read_count(element, files[-1]) if element.tag in MANY else 1
    if times > MOST_ELEMENTS:
        raise ValueError(
            f"{files[-1]}, <{element.tag} count={element.get('count')!r}>: that many "
            f"copies are too many; at most {MOST_ELEMENTS}"
        )
    return times + sum(_count_below(e, base, times, files) for e in element)


def _read_count(element: ElementTree.Element, path: Path) -> int:
    said = element.get("count", "1")
    try:
        return max(int(np.prod([float(word) for word in said.split()])), 1)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{path}, <{element.tag} count={said!r}>: no number"
        ) from error
