"""One supervised example: a scene and what its expert answers, seen in several ways."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.records import Plan
from policy.variety import vary_view
from policy.variety_images import rotate

MOVED = 0.5  # share of images in another frame
ZOOM = (0.86, 1.04)
TALL = (0.93, 1.12)  # height of things against their width
ROLL = 0.10  # rad
SHIFT = 0.07  # of the image's side
GREY = 127  # where a moved frame shows what was not rendered
_SWAP = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One scene and its expert's answer.

    Attributes:
        image: [H, W, 3] uint8 RGB.
        parts: [H, W] uint8 part classes, 0 for anything else.
        target: [H, W] bool, the part that the instruction asks for.
        instruction: The task in words.
        plan: The expert's answer.
        one_sided: Whether it is drawn from ranges whose mirror image is held out.
    """

    image: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    target: NDArray[np.bool_]
    instruction: str
    plan: Plan
    one_sided: bool = False


def vary_example(example: Example, rng: np.random.Generator) -> Example:
    """Returns the example with another look, in other words, perhaps another frame."""
    image, words = vary_view(example.image, example.parts, example.instruction, rng)
    varied = replace(example, image=image, instruction=words)
    return move_frame(varied, rng) if rng.random() < MOVED else varied


def mirror_example(example: Example) -> Example:
    """Returns the example seen in a mirror; left and right change places in its words.

    A mirrored scene is as likely as the scene, its answer mirrored is as good.
    """
    plan = example.plan
    x1, y1, x2, y2 = plan.box
    return replace(
        example,
        image=np.ascontiguousarray(example.image[:, ::-1]),
        parts=np.ascontiguousarray(example.parts[:, ::-1]),
        target=np.ascontiguousarray(example.target[:, ::-1]),
        instruction=_swap_sides(example.instruction),
        plan=replace(
            plan,
            box=(1 - x2, y1, 1 - x1, y2),
            waypoints=tuple((1 - p[0], *p[1:]) for p in plan.waypoints),
            thought=_swap_sides(plan.thought),
        ),
    )


def _swap_sides(text: str) -> str:
    return re.sub(r"\b([Ll]eft|[Rr]ight)\b", lambda m: _SWAP[m[0]], text)


def move_frame(example: Example, rng: np.random.Generator) -> Example:
    """Returns the example seen by a camera that turns, rolls and zooms a little.

    All move pixels and answer alike, and so does a little height against width, as
    seen from another height. An answer that would leave the frame stays.
    """
    turn, shift = _draw_frame(rng)
    corners = _list_corners(example.target) @ turn.T + shift
    points = np.array([p[:2] for p in example.plan.waypoints]) @ turn.T + shift
    ends = np.concatenate([corners, points])
    if ends.min() <= 0 or ends.max() >= 1:
        return example
    box = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
    heights = [p[2:] for p in example.plan.waypoints]
    waypoints = tuple((*p, *h) for p, h in zip(points.tolist(), heights, strict=True))
    back = np.linalg.inv(turn)
    start = len(example.image) * (back @ -shift)
    frame = (*back[0], start[0], *back[1], start[1])
    nearest, target = Image.Resampling.NEAREST, example.target.view(np.uint8)
    return replace(
        example,
        image=_resample(example.image, frame, Image.Resampling.BILINEAR, GREY),
        parts=_resample(example.parts, frame, nearest, 0),
        target=_resample(target, frame, nearest, 0).view(np.bool_),
        plan=replace(example.plan, box=box, waypoints=waypoints),
    )


def _draw_frame(
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[2, 2] and [2]: a point of the image comes to turn @ point + shift."""
    scale = rng.uniform(*ZOOM) * np.array([1, rng.uniform(*TALL)])
    turn = rotate(rng.uniform(-ROLL, ROLL)) * scale
    return turn, 0.5 - turn @ (0.5, 0.5) + rng.uniform(-SHIFT, SHIFT, 2)


def _list_corners(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[4 N, 2] corners of the N pixels of a mask, in image units."""
    pixels = np.argwhere(mask)[:, ::-1]
    corners = pixels[:, None] + np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
    return corners.reshape(-1, 2) / len(mask)


def _resample(
    pixels: NDArray, frame: tuple, how: Image.Resampling, outside: int
) -> NDArray:
    height, width = pixels.shape[:2]
    fill = (outside,) * 3 if pixels.ndim == 3 else outside
    image = Image.fromarray(pixels)
    moved = image.transform(
        (width, height), Image.Transform.AFFINE, frame, how, fillcolor=fill
    )
    return np.asarray(moved)
