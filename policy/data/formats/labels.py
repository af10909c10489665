"""Matrices in MATLAB files, whose size is looked at before they are unpacked."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policy.data import bounds
from policy.data.records import BrokenItem

HEADER = 128  # bytes before the first matrix of a file of version 5
MATRIX, PACKED = 14, 15  # what a file of version 5 may consist of
INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
NUMBERS = INTEGERS | {"single", "double", "logical"}


def read_matrix(path: Path, name: str) -> NDArray[Any]:
    """Returns the [H, W] numbers that have a name in a MATLAB file.

    Raises:
        BrokenItem: The file is damaged, there are none, or they are too large.
    """
    try:
        return _load(bounds.read_file(str(path)), path.name, name)
    except BrokenItem:
        raise
    except FileNotFoundError as error:
        raise BrokenItem("missing_image", error) from None
    except Exception as error:  # noqa: BLE001 of a damaged file scipy raises anything
        raise BrokenItem("unreadable_image", f"{path.name}: {error}") from None


def _load(content: bytes, file: str, name: str) -> NDArray[Any]:
    import scipy.io

    if scipy.io.matlab.matfile_version(io.BytesIO(content))[0] == 1:
        _check_packed(content, file)
    listed = scipy.io.whosmat(io.BytesIO(content))
    found = [(shape, kind) for called, shape, kind in listed if called == name]
    if not found:
        raise BrokenItem("missing_field", f"{file}: {name}")
    for shape, kind in found:
        if len(shape) != 2 or kind not in NUMBERS:
            raise BrokenItem("wrong_type", f"{file}: {name} {shape} {kind}")
        bounds.check_pixels(shape[1], shape[0], f"{file}: {name}")
    loaded = scipy.io.loadmat(io.BytesIO(content), variable_names=[name])
    return np.asarray(loaded[name])


def _check_packed(content: bytes, file: str) -> None:
    """Refuses a file of version 5 whose packed parts come to too many bytes.

    What it says of a matrix is no bound: it may be told to be small and not be.
    """
    order = "<" if content[126:128] == b"IM" else ">"
    at, left = HEADER, bounds.MOST_BYTES
    while at + 8 <= len(content):
        kind, length = struct.unpack_from(f"{order}II", content, at)
        if kind not in (MATRIX, PACKED):
            raise ValueError(f"a part of kind {kind}")
        if kind == PACKED:
            part = content[at + 8 : at + 8 + length]
            left -= len(zlib.decompressobj().decompress(part, left + 1))
        if left < 0:
            most = f"more than {bounds.MOST_BYTES} bytes"
            raise BrokenItem("too_large", f"{file} unpacks to {most}")
        at += 8 + length
