"""Images: whether a file is whole, how large it is, which it is, its pixels upright."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from envs.mjcf.bounds import DECODED
from policy.data import bounds, tables
from policy.data.records import BrokenItem, Source

PNG, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
JPEG, JPEG_END = b"\xff\xd8", b"\xff\xd9"
HEAD = 1024  # bytes at the beginning, and as many in the middle, that are looked at
TAIL = 256  # bytes at the end among which a JPEG's last marker is looked for
TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
ORIENTATION = 0x0112
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True)
class FileImage:
    """An image in a file of its own."""

    path: str

    def read(self) -> bytes:
        """The file's bytes."""
        return bounds.read_file(self.path)


@dataclass(frozen=True, slots=True)
class ParquetImage:
    """An image in a parquet file's cell: bytes, `{bytes, path}`, or a list of such."""

    path: str
    group: int
    row: int
    column: str

    def read(self) -> bytes:
        """The cell's bytes; of a list the first."""
        column = tables.read_column(self.path, self.group, self.column)
        content = tables.pick_bytes(column[self.row])
        if content is None:
            raise FileNotFoundError(f"{self.path}, row {self.row}: no image")
        return content


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of an image that nobody has decoded.

    Attributes:
        size: Width and height, upright.
        digest: A number that equal files share, whatever they are called.
    """

    size: tuple[int, int]
    digest: int


def measure_image(source: Source) -> Measured:
    """Looks at an image without decoding it, nor reading all of a file.

    Raises:
        BrokenItem: There is none, it is of no known kind or too large, or its end is
            missing.
    """
    try:
        seen = _peek(source)
    except OSError as error:
        raise _judge(error) from None
    return Measured(_find_size(seen, source), seen.digest)


def _find_size(seen: _Glimpse, source: Source) -> tuple[int, int]:
    head, tail = seen.head, seen.tail
    if head.startswith(PNG) and not tail.endswith(PNG_END):
        raise BrokenItem("truncated_image", source)
    if head.startswith(JPEG) and JPEG_END not in tail:
        raise BrokenItem("truncated_image", source)
    if head.startswith(PNG) and b"IDAT" in head and b"eXIf" not in head + tail:
        width, height = np.frombuffer(head, ">u4", 2, 16).tolist()
        bounds.check_pixels(width, height, source)
        return width, height
    return _measure_slowly(seen.opened, source)


@dataclass(frozen=True, slots=True)
class _Glimpse:
    """The first and last bytes of an image, what they come to, and what PIL opens."""

    head: bytes
    tail: bytes
    digest: int
    opened: Any


def _peek(source: Source) -> _Glimpse:
    if not isinstance(source, FileImage):
        content = source.read()
        read = partial(_cut, content)
        return _look(read, len(content), io.BytesIO(content))
    file, size = bounds.open_file(source.path)
    try:
        return _look(partial(os.pread, file), size, source.path)
    finally:
        os.close(file)


def _cut(content: bytes, count: int, at: int) -> bytes:
    return content[at : at + count]


def _look(read: Callable[[int, int], bytes], size: int, opened: Any) -> _Glimpse:
    """Reads three places, in which packed pixels of two images hardly agree."""
    head, tail = read(HEAD, 0), read(TAIL, max(0, size - TAIL))
    told = b"%d " % size + head + read(HEAD, size // 2) + tail
    digest = int.from_bytes(blake2b(told, digest_size=8).digest())
    return _Glimpse(head, tail, digest, opened)


def _measure_slowly(opened: Any, source: Source) -> tuple[int, int]:
    try:
        with Image.open(opened, formats=DECODED) as image:
            width, height = image.size
            bounds.check_pixels(width, height, source)  # EXIF may need the pixels
            turned = image.getexif().get(ORIENTATION) in TURNED
    except UnidentifiedImageError:
        raise BrokenItem("unreadable_image", source) from None
    except BROKEN as error:
        raise _judge(error) from None
    return (height, width) if turned else (width, height)


def load_image(source: Source) -> NDArray[np.uint8]:
    """Returns the [H, W, 3] pixels of an image, upright, transparency on white.

    Raises:
        BrokenItem: It cannot be decoded, or is too large.
    """
    try:
        content = io.BytesIO(source.read())
        with Image.open(content, formats=DECODED) as image:
            bounds.check_pixels(*image.size, source)
            return _flatten(ImageOps.exif_transpose(image))
    except BROKEN as error:
        raise _judge(error) from None


def _judge(error: Exception) -> BrokenItem:
    """What is wrong with an image that could not be read."""
    if isinstance(error, FileNotFoundError):
        return BrokenItem("missing_image", error)
    if isinstance(error, Image.DecompressionBombError):
        return BrokenItem("too_large", error)
    return BrokenItem("unreadable_image", error)


def _flatten(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):  # 16 bits or more of grey
        levels = np.asarray(image, np.float64)
        levels = levels / max(levels.max(initial=0), 1) * 255
        image = Image.fromarray(levels.astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    return np.array(image.convert("RGB"))


def save_image(image: NDArray[Any], path: Path) -> None:
    """Writes pixels as PNG, or as JPEG where the name says so; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=95, compress_level=3)


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Returns an [H, W, 3] or [H, W] image as a PNG's bytes, quickly packed."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png", compress_level=3)
    return buffer.getvalue()
