"""Directories and files that are whole or not there, whatever is interrupted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], None]) -> Path:
    """Lets `write` fill a directory that gets its name only when it is on disk.

    One of that name that is there already stays until then; where `write` fails,
    nothing else is left.
    """
    restore(path)
    partial, old = _name_aside(path)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        write(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for file in partial.rglob("*"):
        _flush(file)
    if path.exists():
        path.rename(old)
    partial.rename(path)
    _flush(path.parent)
    shutil.rmtree(old, ignore_errors=True)
    return path


def replace_text(path: Path, text: str) -> None:
    """Writes a file; the one before stays until the new one is whole."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """Writes a file; the one before stays until the new one is whole.

    Where that fails, nothing else is left.
    """
    partial, _ = _name_aside(path)
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):  # what went wrong first is what counts
            partial.unlink()
        raise


def restore(path: Path) -> None:
    """Puts back what a kill inside `write_whole` has left under another name."""
    _, old = _name_aside(path)
    if old.exists() and not path.exists():
        old.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _name_aside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.old")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
