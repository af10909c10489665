"""How much a stranger's file may ask for: more is a broken item, or one line."""

from __future__ import annotations

import os
import stat

from policy.data.records import BrokenItem

MOST_PIXELS = 2**25  # of an image or a label; a larger one needs a gigabyte
MOST_BYTES = 2**28  # of a file that is read whole, and of what a packed one unpacks to
MOST_ROW = 2**22  # characters; as lists in memory a row is up to 30 times as large


def open_file(path: str) -> tuple[int, int]:
    """Opens a file to be read; returns its descriptor and its size in bytes.

    Raises:
        FileNotFoundError: There is none, but perhaps a pipe or a device.
        BrokenItem: It is too large.
    """
    # Whoever opens a pipe waits until somebody writes into it, but for this flag.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    found = os.fstat(file)
    regular = stat.S_ISREG(found.st_mode)
    if regular and found.st_size <= MOST_BYTES:
        return file, found.st_size
    os.close(file)
    if not regular:
        raise FileNotFoundError(f"{path} is no regular file")
    size = f"{found.st_size} bytes, at most {MOST_BYTES}"
    raise BrokenItem("too_large", f"{path}: {size}")


def read_file(path: str) -> bytes:
    """Returns a file's bytes; raises what `open_file` raises."""
    file, _ = open_file(path)
    with os.fdopen(file, "rb") as opened:
        return opened.read()


def check_pixels(width: int, height: int, name: object) -> None:
    """Refuses an image, or a matrix that stands for one, before it is decoded.

    Raises:
        BrokenItem: It is too large.
    """
    if width * height > MOST_PIXELS:
        most = f"at most {MOST_PIXELS} pixels"
        raise BrokenItem("too_large", f"{name} is {width} x {height}; {most}")


def check_row(size: int) -> None:
    """Refuses a row of so many characters.

    Raises:
        BrokenItem: It is too large.
    """
    if size > MOST_ROW:
        raise BrokenItem("too_large", f"a row of {size} characters, at most {MOST_ROW}")
