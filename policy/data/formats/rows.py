"""Rows of JSON and parquet files, one at a time, however many there are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from policy.data.records import BrokenItem

CHUNK = 2**20  # characters
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", "")  # of images named without one


def read_json(path: Path) -> Iterator[Any]:
    """Yields the rows of a JSON list, or of JSON lines; a bad line as a `BrokenItem`.

    Raises:
        ValueError: A list that is not JSON: what follows the mistake is lost.
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
    decoder, ended = json.JSONDecoder(), False
    while True:
        text = text.lstrip(" \t\r\n,")
        if text.startswith("]"):
            return
        at = 0
        try:
            while not text.startswith("]", at):
                row, end = decoder.raw_decode(text, at)
                yield row
                at = end
                while text[at : at + 1] in {",", " ", "\n", "\r", "\t"}:
                    at += 1
        except RecursionError as error:
            raise ValueError(f"{path} is nested too deeply") from error
        except json.JSONDecodeError as error:
            if ended:
                raise ValueError(f"{path} is not JSON: {error}") from error
        more = file.read(CHUNK)
        ended = not more
        text = text[at:] + more


def _read_lines(file: IO[str]) -> Iterator[Any]:
    for line in file:
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            yield BrokenItem("bad_json", error)


def read_parquet(
    path: Path, columns: Sequence[str], needed: Sequence[str] = ()
) -> Iterator[tuple[int, int, Any]]:
    """Yields (row group, row in it, values of the columns that there are) of a file.

    Args:
        path: The file.
        columns: Whose values are yielded.
        needed: Others that have to be there, such as images, which are read later.

    Raises:
        ValueError: It is no parquet file, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is not a parquet file: {error}") from error
    names = file.schema_arrow.names
    if missing := sorted({*needed} - {*names}):
        raise ValueError(f"{path}: no column {' and '.join(missing)}")
    known = [name for name in columns if name in names]
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, known).to_pylist()
        yield from ((group, number, row) for number, row in enumerate(rows))


def take(row: Any, *names: str) -> Any:
    """Returns a value inside nested mappings.

    Raises:
        BrokenItem: There is none.
    """
    for name in names:
        if not isinstance(row, Mapping):
            raise BrokenItem("wrong_type", row)
        if name not in row:
            raise BrokenItem("missing_field", name)
        row = row[name]
    return row


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
