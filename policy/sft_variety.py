"""How supervised examples vary beyond what their scenes draw.

A policy that starts from random weights has met no word, colour or view but those of
its examples: colours whose names it had never read took two thirds of its success, and
verbs it had never read a third. A pretrained model knows thousands of both. So each
image serves in other light, on other ground, in other frames and from the other side,
scenes appear in colours of a longer list and from ranges that are longer where nothing
is held out, and an instruction keeps its names and loses other words. No colour of
things, pattern or sentence that a scene holds out is among them. Zoom, light and the
tint of the ground do reach into what is held out there, and any common word may stand
in for another.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np

from envs.colours import COLOURS, OTHER_COLOURS, PALETTE
from policy.sft_example import Example
from policy.sft_images import change_ground, jitter_colour, move_frame
from policy.sft_words import loosen_words

RECOLOURED = 0.7  # share of scenes in colours of the longer list
STRETCHED = 0.5  # share of scenes whose ranges are longer on these axes
LONGER = ("camera", "lighting", "position")
LOOSENED = 0.7  # share of instructions
MOVED = 0.5  # share of images
REGROUNDED = 0.6  # share of images
APART = 0.3  # between the colours of one scene, in red, green and blue 0..1
_SWAP = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}


def vary_scene(rng: np.random.Generator) -> dict[str, Any]:
    """Returns options of `envs.make_scene` for a scene that others do not draw."""
    return {
        "colours": draw_colours(rng) if rng.random() < RECOLOURED else None,
        "stretched": LONGER if rng.random() < STRETCHED else (),
    }


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


def draw_colours(rng: np.random.Generator) -> dict[str, str]:
    """Returns another colour for each that scenes are trained on, none like another."""
    chosen: list[str] = []
    for colour in rng.permutation([*COLOURS, *OTHER_COLOURS]).tolist():
        if all(math.dist(PALETTE[colour], PALETTE[c]) > APART for c in chosen):
            chosen.append(colour)
    return dict(zip(COLOURS, chosen[: len(COLOURS)], strict=True))


def _swap_sides(text: str) -> str:
    return re.sub(r"\b([Ll]eft|[Rr]ight)\b", lambda m: _SWAP[m[0]], text)
