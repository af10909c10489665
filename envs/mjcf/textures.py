"""Pictures on objects, as small as the policy sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from envs.mjcf.bounds import DECODED, check_image, check_picture

LARGEST = 256  # texels, a side: an object is seen in a hundred pixels


def shrink_textures(file: mujoco.MjSpec, path: Path) -> None:
    """Reads the pictures of a file's textures, and keeps them in fewer texels.

    MuJoCo would decode them anew for each scene, and graphics memory would fill up.

    Args:
        file: What was read; textures that are not used are gone.
        path: Where it was read from.

    Raises:
        ValueError: A picture is too large or damaged; names file and texture.
    """
    for texture in file.textures:
        element = f"texture {texture.name!r}"
        check_picture(path, element, texture.width, texture.height)
        for side in filter(None, texture.cubefiles):
            check_image(path, element, _locate(file, path, side))
        picture = _locate(file, path, texture.file)
        if texture.file and check_image(path, element, picture):
            with _naming(path, element, picture):
                _take(texture, picture)


@contextmanager
def _naming(path: Path, element: str, picture: Path) -> Iterator[None]:
    """Says which picture cannot be decoded; Pillow finds out in many ways."""
    try:
        yield
    except (OSError, SyntaxError, EOFError) as error:
        raise ValueError(f"{path}, {element}: {picture.name}: {error}") from error


def _locate(file: mujoco.MjSpec, path: Path, name: str) -> Path:
    folder = (file.texturedir or "").replace("\\", "/")
    return path.parent / folder / name.replace("\\", "/")


def _take(texture: Any, picture: Path) -> None:
    from PIL import Image  # slow to load, and seldom needed

    if max(texture.gridsize) > 1:
        return  # several faces in one picture, which MuJoCo cuts
    with Image.open(picture, formats=DECODED) as opened:
        opened.thumbnail((LARGEST, LARGEST))
        pixels = np.asarray(opened.convert("RGB"))
    texture.file = ""
    texture.height, texture.width, texture.nchannel = pixels.shape
    texture.data = pixels.tobytes()
