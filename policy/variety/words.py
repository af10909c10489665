"""Instructions in other words that ask for the same."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import groupby

import numpy as np

from envs.randomization.colours import PALETTE
from policy.model.tiny.words import WORDS

DROPPED, CHANGED = 0.1, 0.4  # shares of the words that name nothing
ADDED = 0.1  # words beside one
SWAPPED = 0.3  # share of instructions with two names
STRAY = 0.1  # share of things with a place behind them that names nothing
PLACES = ("left", "middle", "right", "front", "back", "shortest", "tallest")
_THINGS = """
ball basin blade block bottle bowl bread button can cloth clip crumbs disc door drawer
hammer handle head kettle knife ladle mat mug nail pan peg rim sauce saw scoop scraper
socket spoon stick tray turner wall zone
"""
THINGS = frozenset(_THINGS.split())
NAMES = THINGS.union(PALETTE, PLACES)  # what tells one thing in a scene from another
_FILLERS = tuple(word for word in WORDS if word not in NAMES)


def list_names(instructions: Collection[str]) -> frozenset[str]:
    """Returns the words by which one of some instructions is told from another."""
    words = [{*re.findall(r"\w+", instruction)} for instruction in instructions]
    return frozenset(set.union(*words) - set.intersection(*words))


def loosen_words(
    instruction: str, rng: np.random.Generator, names: Collection[str] = ()
) -> str:
    """Returns the instruction with its names, and other words than before around them.

    Names tell one goal from another: colours, places, things and their parts, and what
    else is among `names` of this scene. Other words are left out, replaced by any word,
    or joined by one. Two names of different things may change places: which one fits
    into the other is seen, not read. A place names something before its name alone, not
    in "push the drawer back in".
    """
    words = re.findall(r"\s*(?:\w+|[^\w\s])", instruction)
    if rng.random() < SWAPPED:
        words = _swap_names(words)
    loose: list[str] = []
    for word in words:
        chance = rng.random()
        if word.strip() in NAMES or word.strip() in names or chance > CHANGED:
            loose.append(word)
        elif chance > DROPPED:
            loose.append(_draw_word(rng))
        if rng.random() < ADDED:
            loose.append(_draw_word(rng))
    return "".join(_add_strays(loose, rng)).strip()


def _add_strays(words: list[str], rng: np.random.Generator) -> list[str]:
    """Adds places behind things where no other name follows."""
    added: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        added.append(word)
        alone = word.strip() in THINGS and following.strip() not in NAMES
        if alone and rng.random() < STRAY:
            added.append(" " + PLACES[rng.integers(len(PLACES))])
    return added


def _draw_word(rng: np.random.Generator) -> str:
    """Any word that names nothing; one in four is no word at all."""
    if rng.random() < 0.25:
        letters = rng.integers(ord("a"), ord("z") + 1, rng.integers(3, 8))
        return " " + "".join(map(chr, letters))
    return " " + _FILLERS[rng.integers(len(_FILLERS))]


def _swap_names(words: list[str]) -> list[str]:
    """Exchanges the only two names, as "red peg" and "socket", of different things."""
    named = [word.strip() in NAMES for word in words]
    for i in range(1, len(words) - 1):  # a "bowl of sauce" is one thing
        named[i] |= words[i].strip() == "of" and named[i - 1] and named[i + 1]
    runs = [
        list(run) for kept, run in groupby(range(len(words)), named.__getitem__) if kept
    ]
    last = [words[run[-1]].strip() for run in runs]
    if len(runs) != 2 or last[0] == last[1] or not THINGS.issuperset(last):
        return words
    first, second = ([words[i] for i in run] for run in runs)
    between = words[runs[0][-1] + 1 : runs[1][0]]
    return [*words[: runs[0][0]], *second, *between, *first, *words[runs[1][-1] + 1 :]]
