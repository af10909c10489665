"""What an MJCF file and those that it includes ask for, before MuJoCo reads them.

While it reads, MuJoCo makes copies, points and height fields as large as they say.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from xml.etree import ElementTree

from envs.mjcf.bounds import MOST_ELEMENTS, check_picture, check_regular, check_size
from envs.mjcf.parsing import parse_xml

MANY = ("replicate", "flexcomp", "composite")  # elements with a `count`
FOLDERS = ("assetdir", "meshdir", "texturedir")  # of the compiler
MOST_FOLDERS = 100  # in each of which each file is looked for


def check_file(path: Path) -> set[Path]:
    """Refuses an MJCF file that grows too large when it is read, or never ends.

    Returns:
        The file, and all that it includes or names.

    Raises:
        ValueError: It is no XML, or asks for too much; names file and element.
    """
    survey = _Survey(path.parent)
    try:
        count = survey.count(path, 1, ())
    except RecursionError as error:
        raise ValueError(f"{path}: its elements are too deep in each other") from error
    if count > MOST_ELEMENTS:
        raise ValueError(f"{path} has {count} elements; at most {MOST_ELEMENTS}")
    return survey.check_named()


class _Survey:
    """Goes through a file.

    Args:
        base: The folder of the file that is read first.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._folders = {base}
        self._read: set[str] = set()
        self._named: list[tuple[Path, ElementTree.Element]] = []

    def count(self, path: Path, times: int, above: tuple[Path, ...]) -> int:
        """How many elements a file has, with those of its includes."""
        if path in above:
            raise ValueError(f"{path} includes itself")
        place = os.path.realpath(path)
        # Or forty files that each include the next one twice are read 2^40 times.
        if place in self._read:
            raise ValueError(f"{above[-1]} includes {path.name} once more")
        self._read.add(place)
        check_size(above[-1] if above else path, f"file {path.name!r}", path)
        try:
            root = parse_xml(path)
        except OSError as error:
            if not above:
                raise
            raise ValueError(f"{above[-1]}: cannot read the included {path}") from error
        self._folders.add(path.parent)
        return self._count_below(root, times, (*above, path))

    def _count_below(
        self, element: ElementTree.Element, times: int, files: tuple[Path, ...]
    ) -> int:
        path = files[-1]
        if element.tag == "include":
            file = _read_file(element)
            found = self._base / file
            found = found if found.exists() else path.parent / file
            return self.count(found, times, files)
        if element.tag == "model" and "file" in element.attrib:
            raise ValueError(
                f"{path}, {_quote(element, 'file')}: other models are not read; make "
                "it one file with mujoco.MjSpec.from_file(...).to_xml()"
            )
        self._note(element, path)
        times *= _count_copies(element, path)
        if times > MOST_ELEMENTS:
            said = _quote(element, "count" if element.tag in MANY else "params")
            raise ValueError(
                f"{path}, {said}: that many copies are too many; at most "
                f"{MOST_ELEMENTS}"
            )
        return times + sum(self._count_below(e, times, files) for e in element)

    def _note(self, element: ElementTree.Element, path: Path) -> None:
        """Keeps which files are named, and where they may be."""
        if element.tag == "hfield":
            sides = (_read_numbers(element, key, path) for key in ("ncol", "nrow"))
            width, height = (math.prod(side) for side in sides)
            check_picture(path, f"hfield {element.get('name')!r}", width, height)
        if element.get("file"):
            self._named.append((path, element))
        folders = (element.get(key) for key in FOLDERS if element.tag == "compiler")
        self._folders |= {self._base / folder for folder in folders if folder}

    def check_named(self) -> set[Path]:
        """Refuses what MuJoCo would read at once: too much, or without an end.

        Returns all files that are there.
        """
        if len(self._folders) > MOST_FOLDERS:
            raise ValueError(f"{self._base}: files of more than {MOST_FOLDERS} folders")
        found = {Path(path) for path in self._read}
        for path, element in self._named:
            check = check_size if element.tag in MANY else check_regular
            for file in (folder / _read_file(element) for folder in self._folders):
                check(path, _quote(element, "file"), file)
                found |= {file} if file.exists() else set()
        return found


def _read_file(element: ElementTree.Element) -> str:
    return element.get("file", "").replace("\\", "/")


def _quote(element: ElementTree.Element, key: str) -> str:
    return f"<{element.tag} {key}={element.get(key)!r}>"


def _count_copies(element: ElementTree.Element, path: Path) -> int:
    """How many elements, or points of a made-up mesh, an element stands for."""
    if element.tag in MANY:
        return max(math.prod(_read_numbers(element, "count", path)), 1)
    if element.tag == "mesh" and "builtin" in element.attrib:
        first, second, *_ = [*_read_numbers(element, "params", path), 1, 1]
        # These are as fine along as around; a sphere's are few enough by themselves.
        both_ways = element.get("builtin", "").startswith("super")
        return max(first * (first if both_ways else max(second, 1)), 1)
    return 1


def _read_numbers(element: ElementTree.Element, key: str, path: Path) -> list[int]:
    try:
        return [int(float(word)) for word in element.get(key, "").split()]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}, {_quote(element, key)}: no number") from error
