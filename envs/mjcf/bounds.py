"""How much a stranger's file may ask for: more is one line, not a full memory."""

from __future__ import annotations

import os
from pathlib import Path

MOST_ELEMENTS = 20_000  # of XML, each counted as often as it is replicated
MOST_BYTES = 64 << 20  # of a file that is named, such as a mesh
MOST_TEXELS = 4096 * 4096  # of a picture; a wider one needs 50 MB and more
# What pictures of strangers are decoded as, whatever they are called: some others that
# Pillow knows, such as EPS, are run as programs.
DECODED = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "TGA", "PPM")


def check_regular(path: Path, element: str, file: Path) -> None:
    """Refuses what is there and no file: a pipe or a terminal may be read for ever."""
    # Unlike `Path.exists`, which raises, these find no file by a name without an end.
    if os.path.exists(file) and not os.path.isfile(file):
        raise ValueError(f"{path}, {element}: {file} is no regular file")


def check_size(path: Path, element: str, file: Path) -> None:
    """Refuses a file that an element of an MJCF file names, if it is too large."""
    check_regular(path, element, file)
    size = file.stat().st_size if os.path.exists(file) else 0
    if size > MOST_BYTES:
        raise ValueError(
            f"{path}, {element}: {file.name} has {size >> 20} MB; "
            f"at most {MOST_BYTES >> 20}"
        )


def check_picture(path: Path, element: str, width: int, height: int) -> None:
    """Refuses a picture or height field that is too large."""
    if width * height > MOST_TEXELS:
        raise ValueError(
            f"{path}, {element} is {width} x {height}; at most {MOST_TEXELS} texels"
        )


def check_image(path: Path, element: str, file: Path) -> bool:
    """Refuses a file with a picture that is too large; whether it is a picture."""
    from PIL import Image  # slow to load, and seldom needed

    check_size(path, element, file)
    try:
        with Image.open(file, formats=DECODED) as opened:
            check_picture(path, element, *opened.size)
    except OSError:  # none, none that may be read, or of one of MuJoCo's formats
        return False
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}, {element}: {error}") from error
    return True
