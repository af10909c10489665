"""Scenes as the library does not draw them.

A policy that starts from random weights has met no word, colour or view but those of
its examples: colours whose names it had never read took two thirds of its success, and
verbs it had never read a third. A pretrained model knows thousands of both. So
scenes appear in colours of a longer list and from ranges that reach further, also to
the far side of what is held out, images in other light, on other ground and with
strange things on it, and an instruction keeps its names and loses other words. What is
right to answer stays the same. Often all of it comes at once: what hardly matters alone
matters together.

No colour of things, pattern or sentence that a scene holds out is among them. Light and
the tint of the ground do reach into what is held out there, and any common word may
stand in for another.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.randomization.colours import COLOURS, OTHER_COLOURS, PALETTE
from policy.variety.images import add_strangers, change_ground, jitter_colour
from policy.variety.words import loosen_words

RECOLOURED = 0.7  # share of scenes in colours of the longer list
STRETCHED = 0.5  # share of scenes whose ranges are longer on these axes
LONGER = ("camera", "lighting", "position", "shape")
LOOSENED = 0.7  # share of instructions
REGROUNDED = 0.6  # share of images
STRANGE = 0.4  # share of images with things that nobody knows
WHOLE = 0.3  # share in which all of this comes at once
APART = 0.3  # between the colours of one scene, in red, green and blue 0..1


def vary_scene(rng: np.random.Generator) -> dict[str, Any]:
    """Returns options of `envs.make_scene` for a scene that others do not draw."""
    recoloured, stretched = _decide(rng, RECOLOURED, STRETCHED)
    return {
        "colours": draw_colours(rng) if recoloured else None,
        "stretched": LONGER if stretched else (),
    }


def vary_view(
    image: NDArray[np.uint8],
    parts: NDArray[np.uint8],
    instruction: str,
    rng: np.random.Generator,
    names: Collection[str] = (),
) -> tuple[NDArray[np.uint8], str]:
    """Returns image and instruction with another look and other words.

    Args:
        image: [H, W, 3] RGB.
        parts: [H, W] part classes; what is 0 may change its looks.
        instruction: The task in words.
        rng: Draws.
        names: Words that stay, beside those that the library's scenes name things by.
    """
    regrounded, strange, loosened = _decide(rng, REGROUNDED, STRANGE, LOOSENED)
    if regrounded:
        image = change_ground(image, parts == 0, rng)
    if strange:
        image = add_strangers(image, parts == 0, rng)
    if loosened:
        instruction = loosen_words(instruction, rng, names)
    return jitter_colour(image, rng), instruction


def _decide(rng: np.random.Generator, *shares: float) -> list[bool]:
    """Whether each of several things comes: all at once, or by its own share."""
    whole = rng.random() < WHOLE
    return [whole or rng.random() < share for share in shares]


def draw_colours(rng: np.random.Generator) -> dict[str, str]:
    """Returns another colour for each that scenes are trained on, none like another."""
    chosen: list[str] = []
    for colour in rng.permutation([*COLOURS, *OTHER_COLOURS]).tolist():
        if all(math.dist(PALETTE[colour], PALETTE[c]) > APART for c in chosen):
            chosen.append(colour)
    return dict(zip(COLOURS, chosen[: len(COLOURS)], strict=True))
