"""Pictures on objects, as small as the policy sees them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np

from envs.mjcf.bounds import DECODED, check_image, check_picture
from envs.mjcf.folders import locate

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 256  # texels, a side: an object is seen in a hundred pixels
FLAT = mujoco.mjtTexture.mjTEXTURE_2D
READ = mujoco.mjtBuiltin.mjBUILTIN_NONE  # from files
FACES = "RLUDFB"  # of a cube, in the order in which MuJoCo names and stacks them
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # of Pillow, by how many channels there are


def shrink_textures(file: mujoco.MjSpec, path: Path) -> None:
    """Reads the pictures of a file's textures, and keeps them in fewer texels.

    MuJoCo would decode them anew for each scene, and graphics memory would fill up.

    Args:
        file: What was read; textures that are not used are gone.
        path: Where it was read from.

    Raises:
        ValueError: A picture is too large, damaged or, on a cube, not square; names
            file and texture.
    """
    for texture in file.textures:
        element = f"texture {texture.name!r}"
        if texture.builtin == READ:
            _shrink(texture, file, path)
        else:  # whatever files it names, and how high it says that a cube is
            rows = texture.height if texture.type == FLAT else 6 * texture.width
            check_picture(path, element, texture.width, rows)


def _shrink(texture: Any, file: mujoco.MjSpec, path: Path) -> None:
    element = f"texture {texture.name!r}"
    names = [texture.file] if texture.file else list(texture.cubefiles)
    places = {
        face: locate(file, path, file.texturedir, name)
        for face, name in zip(FACES, names, strict=False)
        if name
    }
    decoded = [check_image(path, element, place) for place in places.values()]
    # What is left is of a format of MuJoCo's own, or is refused by it.
    if decoded and all(decoded) and _is_readable(texture):
        pictures = {
            face: _open(place, texture, f"{path}, {element}")
            for face, place in places.items()
        }
        if texture.type == FLAT:
            _keep(texture, _make_small(pictures[FACES[0]]))
        else:
            _keep(texture, _stack(texture, pictures, f"{path}, {element}"))


def _is_readable(texture: Any) -> bool:
    """Whether MuJoCo takes as many channels, and from so many files."""
    if texture.type == FLAT:
        return bool(texture.file) and texture.nchannel in MODES
    return texture.nchannel == 3


def _open(place: Path, texture: Any, said: str) -> Image:
    """A picture in the channels of its texture, turned over as that says."""
    from PIL import Image, ImageOps  # slow to load, and seldom needed

    try:
        with Image.open(place, formats=DECODED) as opened:
            picture = opened.convert(MODES[texture.nchannel])
    except (OSError, SyntaxError, EOFError) as error:  # Pillow finds out in many ways
        raise ValueError(f"{said}: {place.name}: {error}") from error
    picture = ImageOps.mirror(picture) if texture.hflip else picture
    return ImageOps.flip(picture) if texture.vflip else picture


def _make_small(picture: Image) -> np.ndarray:
    """Texels (H, W, C) of a picture."""
    picture.thumbnail((LARGEST, LARGEST))
    return np.asarray(picture).reshape(picture.height, picture.width, -1)


def _stack(texture: Any, pictures: dict[str, Image], said: str) -> np.ndarray:
    """Texels (6 W, W, 3) of a cube, or (W, W, 3) where all its sides are alike."""
    rows, columns = texture.gridsize if texture.file else (1, 1)
    cells = {face: _cut(one, rows, columns, said) for face, one in pictures.items()}
    sides = {face: cut[0] for face, cut in cells.items()}
    if rows * columns > 1:
        sides = dict(zip(texture.gridlayout, cells[FACES[0]], strict=False))
    sizes = {side.size for side in sides.values()}
    if len(sizes) > 1:
        raise ValueError(f"{said}: its sides differ in size: {sorted(sizes)}")
    small = {face: _make_small(side) for face, side in sides.items()}
    if texture.file and rows * columns == 1:
        return small[FACES[0]]
    plain = np.zeros_like(next(iter(small.values())))
    plain += (255 * np.array(texture.rgb1)).astype(np.uint8)  # as MuJoCo fills a side
    return np.concatenate([small.get(face, plain) for face in FACES])


def _cut(picture: Image, rows: int, columns: int, said: str) -> list[Image]:
    """The squares of which a picture is made, row by row."""
    side = picture.width // columns
    if picture.size != (side * columns, side * rows):
        raise ValueError(
            f"{said}: {picture.width} x {picture.height} texels are not {columns} x "
            f"{rows} squares"
        )
    corners = [(side * x, side * y) for y in range(rows) for x in range(columns)]
    return [picture.crop((x, y, x + side, y + side)) for x, y in corners]


def _keep(texture: Any, texels: np.ndarray) -> None:
    texture.file, texture.cubefiles, texture.gridsize = "", [""] * 6, (1, 1)
    texture.hflip = texture.vflip = False
    texture.embed = mujoco.mjtEmbed.mjEMBED_AUTO  # the file may say to leave it outside
    texture.height, texture.width, texture.nchannel = texels.shape
    texture.data = texels.tobytes()
