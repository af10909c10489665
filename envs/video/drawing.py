"""Plans, words and pictures side by side, drawn with Pillow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from envs.records import NO_BOX, Affordance, AnyAnswer, Plan, Reference, Trajectory

Image8 = NDArray[np.uint8]
RGB8 = tuple[int, int, int]
"""Red, green and blue, 0..255; a scene's `Colour` is of floats 0..1."""
BOX: RGB8 = (255, 214, 0)
PATH: RGB8 = (255, 64, 160)
EXPERT: RGB8 = (255, 255, 255)
OUTLINE: RGB8 = (20, 20, 24)
PAPER: RGB8 = (24, 26, 30)
INK: RGB8 = (240, 240, 240)
FAINT: RGB8 = (165, 170, 178)
GREEN: RGB8 = (92, 219, 120)
RED: RGB8 = (255, 107, 97)
OVERSAMPLE = 2  # drawn this much larger and shrunk, which smooths the lines


def draw_plan(
    image: Image8,
    answer: AnyAnswer | None,
    reference: Reference | None = None,
    scale: int = 2,
) -> Image8:
    """Draws a plan's box and path, and thinly those of a reference, into an image.

    Args:
        image: [H, W, 3] what the policy saw; stays as it is.
        answer: The plan, or the part of one that was asked for; a failure draws
            nothing.
        reference: The expert's answer.
        scale: How many times larger the result is.

    Returns:
        [scale * H, scale * W, 3] the image with the drawings.
    """
    height, width = image.shape[:2]
    size = (width * scale, height * scale)
    large = (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE)
    canvas = Image.fromarray(image).resize(large, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(canvas)
    thick = max(1, round(large[0] / 150))
    if reference is not None and reference.box != NO_BOX:
        _draw_box(pen, reference.box, EXPERT, max(1, thick // 2))
    if reference is not None and reference.waypoints:
        _draw_path(pen, reference.waypoints, EXPERT, max(1, thick // 2))
    if isinstance(answer, Plan | Affordance):
        _draw_box(pen, answer.box, BOX, thick)
    if isinstance(answer, Plan | Trajectory):
        _draw_path(pen, answer.waypoints, PATH, thick)
    return np.array(canvas.resize(size, Image.Resampling.LANCZOS))


def contact_sheet(images: Sequence[Image8], columns: int, gap: int = 6) -> Image8:
    """Images of one size in rows, on white.

    Args:
        images: [H, W, 3] each.
        columns: Images a row.
        gap: Pixels between and around them.

    Raises:
        ValueError: No images, or images of different sizes.
    """
    shapes = {image.shape for image in images}
    if len(shapes) != 1:
        raise ValueError(f"a sheet needs images of one size, not {sorted(shapes)}")
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    size = (rows * (height + gap) + gap, columns * (width + gap) + gap, 3)
    sheet = np.full(size, 255, np.uint8)
    for i, image in enumerate(images):
        top = gap + (i // columns) * (height + gap)
        left = gap + (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


@cache
def load_font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font, so that nothing depends on the machine."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType: reinstall pillow")
    return font


def wrap_text(text: str, size: int, width: float, lines: int) -> list[str]:
    """Breaks any text into lines of a width in pixels; what is too long ends in "...".

    Args:
        text: Any text; line breaks and unprintable characters become spaces.
        size: The font's size.
        width: A line's width in pixels.
        lines: At most so many.
    """
    font = load_font(size)
    # No line holds a thousand characters; a model may have written 100,000.
    text = text[: 1000 * lines]
    rest = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    wrapped = []
    while rest and len(wrapped) < lines:
        fits = _count_fitting(rest, font, width)
        space = rest.rfind(" ", 0, fits + 1)
        end = len(rest) if fits == len(rest) else space if space > 0 else fits
        wrapped.append(rest[:end])
        rest = rest[end:].lstrip()
    if rest:
        dots = load_font(size).getlength("...")
        last = wrapped[-1]
        wrapped[-1] = last[: _count_fitting(last, font, width - dots)] + "..."
    return wrapped


def _count_fitting(text: str, font: ImageFont.FreeTypeFont, width: float) -> int:
    """How many first characters fit into a width, at least one."""
    counts = range(1, len(text) + 1)
    fitting = bisect_right(counts, width, key=lambda n: font.getlength(text[:n]))
    return max(fitting, 1)


def _draw_box(
    pen: ImageDraw.ImageDraw, box: tuple[float, ...], colour: RGB8, thick: int
) -> None:
    x1, y1, x2, y2 = (float(v) for v in np.array(box) * (pen.im.size * 2))
    edge = thick // 2 + 1
    around = (x1 - edge, y1 - edge, x2 + edge, y2 + edge)
    pen.rectangle(around, outline=OUTLINE, width=thick + 2 * edge)
    pen.rectangle((x1, y1, x2, y2), outline=colour, width=thick)


def _draw_path(
    pen: ImageDraw.ImageDraw,
    waypoints: Sequence[tuple[float, ...]],
    colour: RGB8,
    thick: int,
) -> None:
    """A line with a ring at contact, dots at the waypoints and a disc at the goal."""
    points = [(x * pen.im.size[0], y * pen.im.size[1]) for x, y, *_ in waypoints]
    for width, shade in ((2 * thick + 2, OUTLINE), (thick, colour)):
        pen.line(points, fill=shade, width=width, joint="curve")
    for point in points[1:-1]:
        pen.circle(point, 1.5 * thick, fill=colour, outline=OUTLINE, width=thick // 2)
    pen.circle(points[0], 2.5 * thick, fill=OUTLINE, outline=colour, width=thick)
    pen.circle(points[-1], 2.5 * thick, fill=colour, outline=OUTLINE, width=thick // 2)
