"""Pictures on objects, as small as the policy sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from envs.mjcf.bounds import check_picture

LARGEST = 256  # texels, a side: an object is seen in a hundred pixels
# What pictures of strangers are decoded as, whatever they are called: some others that
# Pillow knows, such as EPS, are run as programs.
DECODED = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "TGA", "PPM")


def shrink_textures(file: mujoco.MjSpec, path: Path) -> None:
    """Reads the pictures of a file's textures, and keeps them in fewer texels.

    MuJoCo would decode them anew for each scene, and graphics memory would fill up.

    Args:
        file: What was read; textures that are not used are gone.
        path: Where it was read from.

    Raises:
        ValueError: A picture is too large; names file and texture.
    """
    for texture in file.textures:
        check_picture(path, f"texture {texture.name!r}", texture.width, texture.height)
        picture = _find(file, path, texture.file) if texture.file else None
        if picture is not None:
            _take(texture, picture, path)


def _find(file: mujoco.MjSpec, path: Path, name: str) -> Path | None:
    name = name.replace("\\", "/")
    found = path.parent / (file.texturedir or "").replace("\\", "/") / name
    return found if found.is_file() else None


def _take(texture: Any, picture: Path, path: Path) -> None:
    from PIL import Image, UnidentifiedImageError  # slow to load, and seldom needed

    try:
        with Image.open(picture, formats=DECODED) as opened:
            check_picture(path, f"texture {texture.name!r}", *opened.size)
            if max(texture.gridsize) > 1:
                return  # several faces in one picture, which MuJoCo cuts
            opened.thumbnail((LARGEST, LARGEST))
            pixels = np.asarray(opened.convert("RGB"))
    except UnidentifiedImageError:  # one of MuJoCo's own formats
        return
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}, texture {texture.name!r}: {error}") from error
    texture.file = ""
    texture.height, texture.width, texture.nchannel = pixels.shape
    texture.data = pixels.tobytes()
