"""One supervised example: a scene and what its expert answers, seen in several ways."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion

from envs.records import Plan
from policy.variety.frames import Frame, draw_frame
from policy.variety.scenes import vary_view

MOVED = 0.7  # share of images in another frame
TRIES = 4  # frames drawn until one holds the answer
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
        one_sided: Whether its mirror image is no example.
        told: Whether what is known beside the instruction is said, if anything is.
        names: Words by which the instruction is told from others that could be asked.
    """

    image: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    target: NDArray[np.bool_]
    instruction: str
    plan: Plan
    one_sided: bool = False
    told: bool = True
    names: frozenset[str] = frozenset()


def vary_example(example: Example, rng: np.random.Generator) -> Example:
    """Returns the example with another look, in other words, perhaps another frame."""
    words = example.instruction
    image, words = vary_view(example.image, example.parts, words, rng, example.names)
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
    """Returns the example in another frame; as it is if none holds its answer."""
    corners = _list_corners(example.target)
    path = np.array([p[:2] for p in example.plan.waypoints])
    outside = tuple(rng.integers(0, 256, 3).tolist())
    for _ in range(TRIES):
        frame = draw_frame(rng)
        moved = frame.move(np.concatenate([corners, path]))
        if moved.min() > 0 and moved.max() < 1:
            corners, path = np.split(moved, [len(corners)])
            return _put_into(frame, example, corners, path, outside)
    return example


def _put_into(
    frame: Frame,
    example: Example,
    corners: NDArray[np.float64],
    path: NDArray[np.float64],
    outside: tuple[int, ...],
) -> Example:
    """The example in a frame, given the target's [N, 2] corners and the path there."""
    box = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
    heights = [p[2:] for p in example.plan.waypoints]
    waypoints = tuple((*p, *h) for p, h in zip(path.tolist(), heights, strict=True))
    nearest, target = Image.Resampling.NEAREST, example.target.view(np.uint8)
    return replace(
        example,
        image=frame.show(example.image, Image.Resampling.BILINEAR, outside),
        parts=frame.show(example.parts, nearest, 0),
        target=frame.show(target, nearest, 0).view(np.bool_),
        plan=replace(example.plan, box=box, waypoints=waypoints),
    )


def _list_corners(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[N, 2] corners of the pixels at the edge of a mask, in image units."""
    pixels = np.argwhere(mask & ~binary_erosion(mask))[:, ::-1]
    corners = pixels[:, None] + np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
    return corners.reshape(-1, 2) / len(mask)
