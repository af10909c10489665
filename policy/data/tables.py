"""Parquet files: rows a few at a time, columns of images, however they are packed.

A value that repeats may be in a parquet file once: what its rows say together can be
millions of times what they take on disk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from policy.data import bounds
from policy.data.records import BrokenItem

ROWS = 1000  # that are read together, at most
ROW = 1000  # bytes that any row is counted as: it becomes an item in memory
PACKED = 64  # times its bytes on disk that a large file may unpack to


def read_parquet(
    path: Path, columns: Sequence[str], needed: Sequence[str] = ()
) -> Iterator[tuple[int, int, Any]]:
    """Yields (row group, row in it, values of the columns that there are) of a file.

    Args:
        path: The file.
        columns: Whose values are yielded; of a row that is too large a `BrokenItem`.
        needed: Others that have to be there, such as images, which are read later.

    Raises:
        ValueError: It is no parquet file, lacks a column, or unpacks to too much.
    """
    table = _Table.open(path)
    names = table.file.schema_arrow.names
    if missing := sorted({*needed} - {*names}):
        raise ValueError(f"{path}: no column {' and '.join(missing)}")
    known = [name for name in columns if name in names]
    table.check_flat(known)
    table.check_footer((*known, *needed))
    size = 0
    for group in range(table.file.num_row_groups):
        for number, row in enumerate(_read_rows(table, group, known)):
            size += ROW + _count(row)
            table.check_size(size)
            yield group, number, _check_row(row)


@lru_cache(maxsize=2)
def read_column(path: str, group: int, column: str) -> Any:
    """Returns a column of a row group, a `pyarrow.ChunkedArray`.

    Raises:
        ValueError: It unpacks to too much.
    """
    import pyarrow as pa

    table = _Table.open(Path(path))
    size, pieces = 0, []
    for batch in table.read_batches(group, [column]):
        cells = batch.column(0)
        size += max(cells.nbytes, sum(map(_weigh, cells)))
        table.check_size(size)
        pieces.append(cells)
    return pa.chunked_array(pieces, table.file.schema_arrow.field(column).type)


def pick_bytes(cell: Any) -> bytes | None:
    """Returns what is in a cell of images, of a list the first; None if it is empty."""
    found = _pick(cell)
    content = None if found is None else found.as_py()
    return content if isinstance(content, bytes) else None  # a text is no image


def _weigh(cell: Any) -> int:
    """Bytes that `pick_bytes` would copy: thousands of cells may be a single value."""
    found = _pick(cell)
    return 0 if found is None else found.as_buffer().size


def _pick(cell: Any) -> Any:
    """The `pyarrow.BinaryScalar` in a cell of images; None if it is empty."""
    import pyarrow as pa

    if isinstance(cell, pa.ListScalar):
        cell = cell.values[0] if cell.is_valid and len(cell.values) else None
    if isinstance(cell, pa.StructScalar):
        cell = cell["bytes"] if cell.is_valid and "bytes" in cell else None
    if isinstance(cell, pa.DictionaryScalar):
        cell = cell.value
    return cell if isinstance(cell, pa.BinaryScalar) and cell.is_valid else None


def _read_rows(table: _Table, group: int, columns: Sequence[str]) -> Iterator[Any]:
    for batch in table.read_batches(group, columns):
        yield from batch.to_pylist()


def _count(row: dict[str, Any]) -> int:
    """Characters of the texts in a row."""
    return sum(len(cell) for cell in row.values() if isinstance(cell, str | bytes))


def _check_row(row: dict[str, Any]) -> Any:
    try:
        bounds.check_row(_count(row))
    except BrokenItem as error:
        return error
    return row


@dataclass(frozen=True, slots=True)
class _Table:
    """An open parquet file, and how many bytes it may unpack to."""

    path: Path
    file: Any  # pyarrow.parquet.ParquetFile
    most: int

    @classmethod
    def open(cls, path: Path) -> _Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise ValueError(f"{path} is not a parquet file: {error}") from error
        return cls(path, file, bounds.MOST_BYTES + PACKED * path.stat().st_size)

    def check_size(self, size: int) -> None:
        """Refuses a file of which so many bytes have been unpacked, or would be."""
        if size > self.most:
            raise ValueError(
                f"{self.path} unpacks to {size} bytes or more; of a file of "
                f"{self.path.stat().st_size} bytes at most {self.most} are read"
            )

    def check_flat(self, columns: Sequence[str]) -> None:
        """Refuses lists where words belong: one row could have billions of values."""
        import pyarrow as pa

        for name in columns:
            kind = self.file.schema_arrow.field(name).type
            if pa.types.is_nested(kind):
                raise ValueError(f"{self.path}: column {name} has {kind}, not text")

    def check_footer(self, columns: Collection[str]) -> None:
        """Refuses a file by what it says of itself, before anything is unpacked."""
        groups = range(self.file.num_row_groups)
        size = sum(self.measure(group, columns) for group in groups)
        self.check_size(size + ROW * self.file.metadata.num_rows)

    def measure(self, group: int, columns: Collection[str]) -> int:
        """Returns the bytes of some columns of a group, what repeats counted once."""
        size, found = 0, self.file.metadata.row_group(group)
        for place in range(found.num_columns):
            chunk = found.column(place)
            if chunk.path_in_schema.partition(".")[0] in columns:
                width = max(self.file.metadata.schema.column(place).length, 8)
                size += chunk.total_uncompressed_size + width * chunk.num_values
        return size

    def read_batches(self, group: int, columns: Sequence[str]) -> Iterator[Any]:
        """Yields so few rows at a time that they fit, whichever value they repeat."""
        largest = max(self.measure(group, columns), 1)
        rows = min(max(bounds.MOST_BYTES // largest, 1), ROWS)
        return self.file.iter_batches(rows, [group], columns)
