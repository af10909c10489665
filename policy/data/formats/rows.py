"""Rows of JSON files, one at a time, however many there are, and what they name."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from policy.data import bounds
from policy.data.records import BrokenItem

CHUNK = 2**20  # characters
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", "")  # of images named without one


def read_json(path: Path) -> Iterator[Any]:
    """Yields the rows of a JSON list, or of JSON lines; a bad line as a `BrokenItem`.

    Raises:
        ValueError: A list that is not JSON, or in which a row is too large: what
            follows the mistake is lost.
    """
    with path.open(encoding="utf-8-sig") as file:
        try:
            start = file.read(CHUNK).lstrip()
            if start.startswith("["):
                yield from _read_list(file, start[1:], path)
                return
            file.seek(0)
            yield from _read_lines(file)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 text: {error}") from error


def _read_list(file: IO[str], text: str, path: Path) -> Iterator[Any]:
    ended = False
    while True:
        text = text.lstrip(" \t\r\n,")
        if text.startswith("]"):
            return
        at = 0
        try:
            for row, after in _decode(text):
                yield row
                at = after
        except RecursionError as error:
            raise ValueError(f"{path} is nested too deeply") from error
        except ValueError as error:
            if len(text) - at > bounds.MOST_ROW:
                large = f"has a row of more than {bounds.MOST_ROW} characters"
                raise ValueError(f"{path} {large}, or is not JSON: {error}") from error
            if ended:
                raise ValueError(f"{path} is not JSON: {error}") from error
        # As much again: a row that was cut is decoded anew, and must not be cut often.
        more = file.read(max(CHUNK, len(text) - at))
        ended = not more
        text = text[at:] + more


def _decode(text: str) -> Iterator[tuple[Any, int]]:
    """Yields rows and where the next one starts, until the list ends or a row is cut.

    Raises:
        ValueError: The text ends within a row, or the row is too large.
    """
    decoder, at = json.JSONDecoder(), 0
    while not text.startswith("]", at):
        row, end = decoder.raw_decode(text, at)
        if end - at > bounds.MOST_ROW:
            raise ValueError(f"a row of {end - at} characters")
        while text[end : end + 1] in {",", " ", "\n", "\r", "\t"}:
            end += 1
        at = end
        yield row, at


def _read_lines(file: IO[str]) -> Iterator[Any]:
    while line := file.readline(bounds.MOST_ROW + 1):
        if len(line) > bounds.MOST_ROW:
            yield _skip_line(file, line)
        elif line.strip():
            yield _read_line(line)


def _read_line(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:  # also a number of 4300 digits
        return BrokenItem("bad_json", error)


def _skip_line(file: IO[str], line: str) -> BrokenItem:
    while line and not line.endswith("\n"):
        line = file.readline(CHUNK)
    return BrokenItem("too_large", f"more than {bounds.MOST_ROW} characters")


def take(row: Any, *names: str) -> Any:
    """Returns a value inside nested mappings.

    Raises:
        BrokenItem: There is none; or what is wrong with the whole row.
    """
    if isinstance(row, BrokenItem):
        raise row
    for name in names:
        if not isinstance(row, Mapping):
            raise BrokenItem("wrong_type", row)
        if name not in row:
            raise BrokenItem("missing_field", name)
        row = row[name]
    return row


def take_text(row: Mapping[str, Any], name: str) -> str:
    """Returns what an optional field says, as text; "" where it says nothing."""
    said = row.get(name)
    return "" if said is None else str(said)


def write_json(path: Path, rows: Sequence[Any]) -> None:
    """Writes rows as a JSON list; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")


def find_files(path: Path, *names: str) -> list[Path]:
    """Returns the files that a set's path means: itself, or those inside it.

    Args:
        path: A file, or a directory.
        *names: Patterns of what to look for in the directory, at any depth.

    Raises:
        FileNotFoundError: There is none.
    """
    if path.is_file():
        return [path]
    found = {file for name in names for file in path.rglob(name) if file.is_file()}
    if not found:
        raise FileNotFoundError(f"data.path={path}: no {' or '.join(names)} there")
    return sorted(found)


def find_image(folder: Path, named: Any, *inside: str) -> str:
    """Returns where an image named by a row is: the first place where there is one.

    Args:
        folder: That of the file with the row.
        named: A path, or a name or number without an ending.
        *inside: Folders in it where images are kept.

    Raises:
        BrokenItem: The row names none, or one outside the folder.
    """
    if isinstance(named, list) and named:
        named = named[0]
    if isinstance(named, bool) or not isinstance(named, str | int) or named == "":
        raise BrokenItem("wrong_type", f"image {named!r}")
    name = str(named)
    if os.path.isabs(name) or ".." in re.split(r"[/\\]", name) or "\0" in name:
        raise BrokenItem("missing_image", f"{name} is outside the set")
    endings = ("",) if os.path.splitext(name)[1] else ENDINGS
    places = [f"{folder}/{part}/{name}" for part in inside] + [f"{folder}/{name}"]
    for place in places:
        for ending in endings:
            if os.path.isfile(place + ending):  # a fifth of the time of Path's
                return place + ending
    raise BrokenItem("missing_image", name)
