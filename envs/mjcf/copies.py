"""How many elements, or points of a made-up mesh, an element of an MJCF file makes."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

PLAIN = {"count": "10 10 10", "cellcount": "1 1 1"}  # of a flexcomp that says nothing
ROUND = ("supersphere", "supertorus")  # as fine along as around, by one number
FULL = ("grid", "box", "cylinder", "ellipsoid", "square", "disc")  # by three
NODES = {"trilinear": 1, "quadratic": 2}  # on the side of a cell that moves points
READ = ("mesh", "gmsh", "direct")  # kinds of flexcomp that count no points themselves


def count_copies(element: ElementTree.Element, path: Path) -> tuple[int, str]:
    """How many things an element stands for, and in which words it says so.

    Raises:
        ValueError: It says so with what is no number.
    """
    if element.tag == "replicate":
        return max(math.prod(read_numbers(element, "count", path)), 1), "count"
    if element.tag == "flexcomp":
        points, nodes = _count_points(element, path), _count_nodes(element, path)
        return points + nodes, "count" if points > nodes else "cellcount"
    if element.tag == "mesh" and "builtin" in element.attrib:
        return _count_made_up(element, path), "params"
    return 1, ""


def count_vertices(element: ElementTree.Element, path: Path) -> int:
    """How many points the file itself gives a mesh, made up or one by one."""
    written = len(element.get("vertex", "").split()) // 3
    return max(count_copies(element, path)[0], written)


def quote(element: ElementTree.Element, key: str) -> str:
    """An element with one of its attributes, or what that is where it is not said."""
    plain = PLAIN.get(key) if element.tag == "flexcomp" else None
    return f"<{element.tag} {key}={element.get(key, plain)!r}>"


def read_numbers(element: ElementTree.Element, key: str, path: Path) -> list[int]:
    """The whole numbers of an attribute; none where it is not there.

    Raises:
        ValueError: It has something else.
    """
    try:
        return [int(float(word)) for word in element.get(key, "").split()]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path}, {quote(element, key)}: no number") from error


def _count_points(element: ElementTree.Element, path: Path) -> int:
    """Points of a soft body; those of a named mesh are that mesh's."""
    kind = element.get("type", "mesh" if "mesh" in element.attrib else "grid")
    if kind == "direct":
        return max(len(element.get("point", "").split()) // 3, 1)
    counts = read_numbers(element, "count", path)
    if not counts and kind not in READ:
        counts = [int(word) for word in PLAIN["count"].split()]
        counts = counts[:1] if element.get("dim") == "1" else counts
    return max(math.prod(counts), 1)


def _count_nodes(element: ElementTree.Element, path: Path) -> int:
    """Bodies of a grid that moves a soft body's points, if there is one."""
    sides = NODES.get(element.get("dof", ""))
    if sides is None:
        return 0
    cells = read_numbers(element, "cellcount", path) or [1, 1, 1]
    return math.prod(max(sides * cell + 1, 1) for cell in cells)


def _count_made_up(element: ElementTree.Element, path: Path) -> int:
    kind = element.get("builtin", "")
    counts = read_numbers(element, "params", path)
    if kind in ROUND:
        counts = counts[:1] * 2
    # The second number of a cone is no count but a radius of at most 1.
    counts = counts[: 3 if kind in FULL else 2]
    return math.prod(max(count, 1) for count in counts)
