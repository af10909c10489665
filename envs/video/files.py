"""Files of pictures, which are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import imageio.v2 as imageio

from envs.video.drawing import Image8


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yields another name in the file's folder, which is made, to be written to.

    What was begun is gone where the writing fails or is stopped.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def encode(path: Path, pictures: Iterable[Image8], **how: Any) -> None:
    """Writes an H.264 file that browsers play.

    Args:
        path: The file.
        pictures: [H, W, 3] of one size, both sides multiples of 16.
        **how: Of `imageio`'s writer, such as `fps`.
    """
    with writing(path) as partial:
        writer: Any = imageio.get_writer(
            partial, format="FFMPEG", codec="libx264", **how
        )
        with closing(writer):  # its own way leaves ffmpeg writing after an error
            for picture in pictures:
                writer.append_data(picture)
