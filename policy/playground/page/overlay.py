"""Box and path as SVG, drawn over the image that the policy sees."""

from __future__ import annotations

from collections.abc import Sequence

from envs.records import Reference
from envs.video.drawing import BOX, EXPERT, OUTLINE, PATH, RGB8
from policy.playground.page.sketch import Point, Sketch

LIFTED: RGB8 = (64, 220, 255)
THIN, THICK = 0.9, 1.5  # pixels of an image of 224


def draw_overlay(
    size: tuple[int, int],
    sketch: Sketch,
    lifted: Sequence[Point] = (),
    expert: Reference | None = None,
) -> str:
    """Returns the elements of an SVG image as large as the policy's image.

    Args:
        size: Its width and height in pixels.
        sketch: The plan, in image units as everything here.
        lifted: The hand's path in the world, seen in the image.
        expert: The expert's answer.
    """
    pieces = []
    if expert is not None:
        pieces.append(_draw_box(expert.box, size, EXPERT, THIN))
        pieces.append(_draw_path(expert.waypoints, size, EXPERT, THIN))
    if sketch.box is not None:
        pieces.append(_draw_box(sketch.box, size, BOX, THICK))
    pieces.append(_draw_path(sketch.waypoints, size, PATH, THICK))
    if lifted:
        pieces.append(_draw_line(lifted, size, LIFTED, THICK, dashes="4 3"))
        pieces.append(_draw_dot(_scale(lifted[-1], size), LIFTED, 1.6 * THICK))
    return "".join(pieces)


def write_css(colour: RGB8) -> str:
    """Returns a colour as CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _scale(point: Point, size: tuple[int, int]) -> tuple[float, float]:
    return round(point[0] * size[0], 2), round(point[1] * size[1], 2)


def _draw_box(
    box: Sequence[float], size: tuple[int, int], colour: RGB8, thick: float
) -> str:
    (x1, y1), (x2, y2) = _scale(tuple(box[:2]), size), _scale(tuple(box[2:]), size)
    shape = f'x="{x1}" y="{y1}" width="{x2 - x1:.2f}" height="{y2 - y1:.2f}"'
    return "".join(
        f'<rect {shape} fill="none" stroke="{write_css(shade)}" stroke-width="{w}"/>'
        for shade, w in ((OUTLINE, 2 * thick), (colour, thick))
    )


def _draw_path(
    path: Sequence[Point], size: tuple[int, int], colour: RGB8, thick: float
) -> str:
    """A line with a ring at contact, dots at the waypoints and a disc at the goal."""
    if not path:
        return ""
    points = [_scale(point, size) for point in path]
    line = _draw_line(path, size, OUTLINE, 2 * thick)
    line += _draw_line(path, size, colour, thick)
    dots = "".join(_draw_dot(point, colour, 1.3 * thick) for point in points[1:-1])
    last = _draw_dot(points[-1], colour, 2.2 * thick) if len(points) > 1 else ""
    x, y = points[0]
    ring = (
        f'<circle cx="{x}" cy="{y}" r="{2.2 * thick}" fill="{write_css(OUTLINE)}" '
        f'stroke="{write_css(colour)}" stroke-width="{thick}"/>'
    )
    return line + dots + ring + last


def _draw_line(
    path: Sequence[Point],
    size: tuple[int, int],
    colour: RGB8,
    thick: float,
    dashes: str = "",
) -> str:
    points = " ".join("{},{}".format(*_scale(point, size)) for point in path)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<polyline points="{points}" fill="none" stroke="{write_css(colour)}" '
        f'stroke-width="{thick}" stroke-linejoin="round"{dashed}/>'
    )


def _draw_dot(place: tuple[float, float], colour: RGB8, radius: float) -> str:
    x, y = place
    return (
        f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{write_css(colour)}" '
        f'stroke="{write_css(OUTLINE)}" stroke-width="0.5"/>'
    )
