"""What an MJCF file and those that it includes ask for, before MuJoCo reads them.

While it reads, MuJoCo makes copies, points and height fields as large as they say.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from xml.etree import ElementTree

from envs.mjcf.bounds import MOST_ELEMENTS, check_picture, check_regular, check_size
from envs.mjcf.copies import count_copies, count_vertices, quote, read_numbers
from envs.mjcf.folders import spell, strip
from envs.mjcf.parsing import parse_xml

FOLDERS = ("assetdir", "meshdir", "texturedir")  # of the compiler
MOST_FOLDERS = 100  # in each of which each file is looked for


def check_file(path: Path) -> set[Path]:
    """Refuses an MJCF file that grows too large when it is read, or never ends.

    Returns:
        The file, all that it includes or names, and where an included file that is
        not there would come first.

    Raises:
        ValueError: It is no XML, or asks for too much; names file and element.
    """
    survey = _Survey(path.parent)
    try:
        count = survey.count(path, 1, ()) + survey.count_soft()
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
        self._sought: set[Path] = set()
        self._named: list[tuple[Path, ElementTree.Element, str]] = []
        self._vertices: dict[str, int] = {}  # of meshes, by their names
        self._soft: list[tuple[int, str]] = []  # how many are made of which mesh

    def count(self, path: Path, times: int, above: tuple[Path, ...]) -> int:
        """How many elements a file has, with those of its includes."""
        if path in above:
            raise ValueError(f"{path} includes itself")
        place = os.path.realpath(path)
        # Or forty files that each include the next one twice are read 2^40 times.
        if place in self._read:
            raise ValueError(f"{above[-1]} includes {path.name} once more")
        self._read.add(place)
        self._sought.add(path)
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
            file = spell(element.get("file", ""))
            found = self._base / file
            self._sought.add(found)
            found = found if os.path.exists(found) else path.parent / file
            return self.count(found, times, files)
        if element.tag == "model" and "file" in element.attrib:
            raise ValueError(
                f"{path}, {quote(element, 'file')}: other models are not read; make "
                "it one file with mujoco.MjSpec.from_file(...).to_xml()"
            )
        copies, said = count_copies(element, path)
        times *= copies
        if times > MOST_ELEMENTS:
            raise ValueError(
                f"{path}, {quote(element, said)}: that many copies are too many; at "
                f"most {MOST_ELEMENTS}"
            )
        self._note(element, path)
        self._note_soft(element, times, path)
        return times + sum(self._count_below(e, times, files) for e in element)

    def _note(self, element: ElementTree.Element, path: Path) -> None:
        """Keeps which files are named, and where they may be."""
        if element.tag == "hfield":
            sides = (read_numbers(element, key, path) for key in ("ncol", "nrow"))
            width, height = (math.prod(side) for side in sides)
            check_picture(path, f"hfield {element.get('name')!r}", width, height)
        # Of a cube's sides, each has its own: `fileright` and so on.
        files = (key for key, name in element.items() if key.startswith("file") if name)
        self._named += [(path, element, key) for key in files]
        folders = (element.get(key) for key in FOLDERS if element.tag == "compiler")
        self._folders |= {self._base / folder for folder in folders if folder}

    def _note_soft(self, element: ElementTree.Element, times: int, path: Path) -> None:
        """Keeps how often which mesh becomes a soft body."""
        if element.tag == "mesh":
            self._vertices[_name_mesh(element)] = count_vertices(element, path)
        if element.tag == "flexcomp" and "mesh" in element.attrib:
            self._soft.append((times, element.get("mesh", "")))

    def count_soft(self) -> int:
        """How many points soft bodies have whose mesh stands in the file itself."""
        return sum(times * self._vertices.get(mesh, 0) for times, mesh in self._soft)

    def check_named(self) -> set[Path]:
        """Refuses what MuJoCo would read at once: too much, or without an end.

        Returns all files that are there, and includes that would come first.
        """
        if len(self._folders) > MOST_FOLDERS:
            raise ValueError(f"{self._base}: files of more than {MOST_FOLDERS} folders")
        found, soft = set(self._sought), {mesh for _, mesh in self._soft}
        for path, element, key in self._named:
            at_once = element.tag == "flexcomp" or _name_mesh(element) in soft
            check = check_size if at_once else check_regular
            said = element.get(key, "")
            names = {spell(said), strip(said)}
            for file in (fold / name for fold in self._folders for name in names):
                check(path, quote(element, key), file)
                found |= {file} if os.path.exists(file) else set()
        return found


def _name_mesh(element: ElementTree.Element) -> str:
    """A mesh's name, which is its file's where it has none of its own."""
    return element.get("name") or Path(spell(element.get("file", ""))).stem
