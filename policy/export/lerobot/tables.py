"""Columns as Arrow tables, in the types that LeRobot's reader expects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from policy.data.images import encode_png
from policy.export.lerobot.features import CAMERA_KEY


def build_frames(
    columns: Mapping[str, NDArray[Any]], images: NDArray[np.uint8] | None
) -> pa.Table:
    """Returns frames as a table, with their images where these are given."""
    arrays = {name: _to_arrow(column) for name, column in columns.items()}
    if images is not None:
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        rows = [{"bytes": encode_png(image), "path": None} for image in images]
        arrays[CAMERA_KEY] = pa.array(rows, kind)
    return pa.table(arrays)


def _to_arrow(column: NDArray[Any]) -> pa.Array:
    if column.ndim == 1:
        return pa.array(column)
    return pa.FixedSizeListArray.from_arrays(pa.array(column.ravel()), column.shape[1])


def build_tasks(tasks: Sequence[str]) -> pa.Table:
    """Returns the list of instructions; pandas reads them as the table's index."""
    about = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": of}
            | {"metadata": None}
            for name, kind, of in (
                ("task_index", "int64", "int64"),
                ("task", "unicode", "object"),
            )
        ],
        "pandas_version": "2.0.0",
    }
    table = pa.table({"task_index": np.arange(len(tasks)), "task": list(tasks)})
    return table.replace_schema_metadata({"pandas": json.dumps(about)})
