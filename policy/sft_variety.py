"""How supervised examples vary beyond what their scenes draw.

A policy that starts from random weights has met no word, colour or view but those of
its examples: colours whose names it had never read took two thirds of its success, and
verbs it had never read a third. A pretrained model knows thousands of both. So each
image serves in other light, in other frames and from the other side, scenes appear in
colours of a longer list, and an instruction keeps its names and loses other words.
No colour or sentence that a scene holds out is among them. Zoom and light do reach into
what is held out there, and any common word may stand in for another.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.colours import COLOURS, OTHER_COLOURS, PALETTE
from envs.records import Plan
from policy.words import WORDS

RECOLOURED = 0.7  # share of scenes in colours of the longer list
LOOSENED = 0.5  # share of instructions
MOVED = 0.5  # share of images
REGROUNDED = 0.6  # share of images
APART = 0.3  # between the colours of one scene, in red, green and blue 0..1
DROPPED, CHANGED = 0.1, 0.3  # shares of the words that name nothing
ADDED = 0.08  # words beside one
SWAPPED = 0.3  # share of instructions with two names
ZOOM = (0.86, 1.04)
SHIFT = 0.07  # of the image's side
GRAIN = (3, 40)  # cells of a new ground along the image's side
DEPTH = 0.5  # of a new ground's pattern: how dark against how bright
TINT = (0.45, 1.25)  # of a new ground's brightness
GREY = 127  # where a moved frame shows what was not rendered
PLACES = ("left", "middle", "right", "front", "back", "shortest", "tallest")
_THINGS = """
basin blade block bowl button can cloth clip crumbs disc door drawer hammer handle head
knife ladle mat mug nail pan peg rim sauce saw scoop scraper socket spoon stick tray
turner wall zone
"""
THINGS = frozenset(_THINGS.split())
NAMES = THINGS.union(PALETTE, PLACES)  # what tells one thing in a scene from another
_FILLERS = tuple(word for word in WORDS if word not in NAMES)
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
    """

    image: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    target: NDArray[np.bool_]
    instruction: str
    plan: Plan


def vary(example: Example, rng: np.random.Generator) -> Example:
    """Returns the example in other light and words, perhaps on another ground."""
    if rng.random() < REGROUNDED:
        example = change_ground(example, rng)
    if rng.random() < MOVED:
        example = move_frame(example, rng)
    instruction = example.instruction
    if rng.random() < LOOSENED:
        instruction = loosen_words(instruction, rng)
    image = jitter_colour(example.image, rng)
    return replace(example, image=image, instruction=instruction)


def mirror_example(example: Example) -> Example:
    """Returns the example seen in a mirror; left and right change places in its words.

    A mirrored scene is as likely as the scene, its answer mirrored is as good.
    """
    plan = example.plan
    x1, y1, x2, y2 = plan.box
    return Example(
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


def jitter_colour(
    image: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Returns the [H, W, 3] image brighter or darker, warmer or cooler.

    The ranges are small enough that no colour gets another name.
    """
    gain = rng.uniform(0.80, 1.15) * rng.uniform(0.95, 1.05, 3)
    shift = rng.uniform(-10, 10)
    table = np.arange(256)[:, None] * gain + shift
    table = np.clip(np.rint(table), 0, 255).astype(np.uint8)
    return np.stack([table[image[..., c], c] for c in range(3)], axis=-1)


def change_ground(example: Example, rng: np.random.Generator) -> Example:
    """Returns the example with another tint and pattern wherever there is no part.

    The pattern is cells or soft spots of random brightness, turned and stretched; never
    the regular stripes or checks of tables that are held out.
    """
    ground = example.parts == 0
    tint = rng.uniform(*TINT) * rng.uniform(0.85, 1.15, 3)
    shade = _draw_pattern(ground.shape, rng)[ground]
    image = example.image.copy()
    image[ground] = np.clip(image[ground] * shade[:, None] * tint, 0, 255)
    return replace(example, image=image)


def _draw_pattern(
    shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float32]:
    """[H, W] brightness, 1 - `DEPTH` to 1."""
    cells = rng.random((64, 64), dtype=np.float32)
    angle, width = rng.uniform(0, np.pi), shape[1]
    scale = np.exp(rng.uniform(*np.log(GRAIN), 2)) / width
    across = scale * (np.cos(angle), np.sin(angle))
    along = scale[::-1] * (-np.sin(angle), np.cos(angle))
    frame = (across[0], across[1], 32 - across.sum() * width / 2)
    frame += (along[0], along[1], 32 - along.sum() * width / 2)
    how = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR)[rng.integers(2)]
    drawn = Image.fromarray(cells).transform(
        shape[::-1], Image.Transform.AFFINE, frame, how
    )
    return 1 - rng.uniform(0, DEPTH) * np.asarray(drawn)


def move_frame(example: Example, rng: np.random.Generator) -> Example:
    """Returns the example seen by a camera that is turned a little and zooms.

    Both move pixels and answer alike. An answer that would leave the frame stays.
    """
    zoom, (dx, dy) = rng.uniform(*ZOOM), rng.uniform(-SHIFT, SHIFT, 2)

    def move(x: float, y: float) -> tuple[float, float]:
        return 0.5 + zoom * (x - 0.5) + dx, 0.5 + zoom * (y - 0.5) + dy

    plan = example.plan
    box = (*move(*plan.box[:2]), *move(*plan.box[2:]))
    points = tuple((*move(*p[:2]), *p[2:]) for p in plan.waypoints)
    ends = [*box, *(v for p in points for v in p[:2])]
    if min(ends) <= 0 or max(ends) >= 1:
        return example
    side = example.image.shape[0]
    start = side * (0.5 - (0.5 + np.array([dx, dy])) / zoom)
    frame = (1 / zoom, 0, start[0], 0, 1 / zoom, start[1])
    return replace(
        example,
        image=_resample(example.image, frame, Image.Resampling.BILINEAR, GREY),
        parts=_resample(example.parts, frame, Image.Resampling.NEAREST, 0),
        target=_resample(
            example.target.view(np.uint8), frame, Image.Resampling.NEAREST, 0
        ).view(np.bool_),
        plan=replace(plan, box=box, waypoints=points),
    )


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


def loosen_words(instruction: str, rng: np.random.Generator) -> str:
    """Returns the instruction with its names, and other words than before around them.

    Names tell one goal from another: colours, places, things and their parts. Other
    words are left out, replaced by any word, or joined by one. Two names of different
    things may change places: which one fits into the other is seen, not read.
    """
    words = re.findall(r"\s*(?:\w+|[^\w\s])", instruction)
    if rng.random() < SWAPPED:
        words = _swap_names(words)
    loose: list[str] = []
    for word in words:
        chance = rng.random()
        if word.strip() in NAMES or chance > CHANGED:
            loose.append(word)
        elif chance > DROPPED:
            loose.append(_draw_word(rng))
        if rng.random() < ADDED:
            loose.append(_draw_word(rng))
    return "".join(loose).strip()


def _draw_word(rng: np.random.Generator) -> str:
    """Any word that names nothing; one in four is no word at all."""
    if rng.random() < 0.25:
        letters = rng.integers(ord("a"), ord("z") + 1, rng.integers(3, 8))
        return " " + "".join(map(chr, letters))
    return " " + _FILLERS[rng.integers(len(_FILLERS))]


def _swap_names(words: list[str]) -> list[str]:
    """Exchanges the only two names, as "red peg" and "socket", of different things."""
    named = [word.strip() in NAMES for word in words]
    runs = [
        list(run) for kept, run in groupby(range(len(words)), named.__getitem__) if kept
    ]
    last = [words[run[-1]].strip() for run in runs]
    if len(runs) != 2 or last[0] == last[1] or not THINGS.issuperset(last):
        return words
    first, second = ([words[i] for i in run] for run in runs)
    between = words[runs[0][-1] + 1 : runs[1][0]]
    return [*words[: runs[0][0]], *second, *between, *first, *words[runs[1][-1] + 1 :]]


def draw_colours(rng: np.random.Generator) -> dict[str, str]:
    """Returns another colour for each that scenes are trained on, none like another."""
    chosen: list[str] = []
    for colour in rng.permutation([*COLOURS, *OTHER_COLOURS]).tolist():
        if all(math.dist(PALETTE[colour], PALETTE[c]) > APART for c in chosen):
            chosen.append(colour)
    return dict(zip(COLOURS, chosen[: len(COLOURS)], strict=True))


def _swap_sides(text: str) -> str:
    return re.sub(r"\b([Ll]eft|[Rr]ight)\b", lambda m: _SWAP[m[0]], text)
