"""What an answer is judged by, as a line of text that passes through any table.

It comes back from files, also from a stranger's: what is in it is checked, and nothing
in it can name what is to be called.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from envs.answer import NORMALIZED, Codec
from envs.randomization.factors import check_choice
from envs.records import ANSWERS, UNTOLD, Plan
from envs.registry import get_task
from envs.scene import SceneConfig
from policy.knowledge import PARTS
from policy.rollout.rows import TEXT, WHOLE, Kind

MAX_LENGTH = 2**14  # characters; a scene's own take some hundred
KEYS = ("scene", "answer", "codec")
TEXTS = Kind(
    "a list of texts",
    lambda value: isinstance(value, list) and all(map(TEXT.fits, value)),
)
# What a scene may be made from, as JSON has it; all of `SceneConfig`.
OPTIONS = {
    "name": TEXT,
    "split": TEXT,
    "seed": WHOLE,
    "shifts": TEXTS,
    "waypoints": TEXT,
    "colours": Kind(
        "texts by name",
        lambda value: isinstance(value, dict) and all(map(TEXT.fits, value.values())),
    ).or_null(),
    "stretched": TEXTS,
    "camera": Kind("ranges by name", lambda value: isinstance(value, dict)).or_null(),
    "robot": TEXT,
    "look": TEXT,
    "without": TEXTS,
    # A file would be looked up, whichever a stranger names.
    "knowledge": Kind(f"{UNTOLD} or {PARTS}", lambda value: value in (UNTOLD, PARTS)),
    "verify": Kind("true or false", lambda value: isinstance(value, bool)),
    "draw": WHOLE.or_null(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question, without its image and words.

    Attributes:
        scene: What the scene is made from.
        answer: One of `envs.records.ANSWERS`: what was asked for.
        codec: The coordinates in which it is to be written.
    """

    scene: SceneConfig
    answer: str = Plan.kind
    codec: Codec = NORMALIZED


def write_case(case: Case) -> str:
    """Returns a case as JSON; the inverse of `read_case`."""
    return json.dumps(
        {
            "scene": case.scene.to_dict(),
            "answer": case.answer,
            "codec": [int(case.codec.width), int(case.codec.height)],
        }
    )


def read_case(text: Any) -> Case:
    """Reads a case from whatever a column held.

    Raises:
        ValueError: It is none: what is wrong with it, and how it begins.
    """
    try:
        return _read(text)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{_shorten(text)} is no scene as scripts/export.py writes it: {error}"
        ) from error


def _read(text: Any) -> Case:
    if not isinstance(text, str):
        raise TypeError(f"a text is needed, not {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"{len(text)} characters, at most {MAX_LENGTH}")
    said = json.loads(text)
    if not isinstance(said, dict) or set(said) != set(KEYS):
        raise ValueError(f"its keys have to be {', '.join(KEYS)}")
    check_choice("answer", said["answer"], ANSWERS)
    return Case(
        scene=_read_scene(said["scene"]),
        answer=said["answer"],
        codec=_read_codec(said["codec"]),
    )


def _read_scene(said: Any) -> SceneConfig:
    if not isinstance(said, dict) or not isinstance(said.get("name"), str):
        raise ValueError("scene has no name")
    for option, value in said.items():
        check_choice("option of a scene", option, tuple(OPTIONS))
        kind = OPTIONS[option]
        if not kind.fits(value):
            raise ValueError(f"{option} is {_shorten(value)}; valid: {kind.words}")
    get_task(said["name"])
    return SceneConfig(**said)


def _read_codec(said: Any) -> Codec:
    if not isinstance(said, list) or [type(side) for side in said] != [int, int]:
        raise ValueError(f"codec is {said!r}; [width, height] is needed")
    return Codec(*said)


def _shorten(text: Any) -> str:
    said = repr(text)
    return said if len(said) <= 100 else f"{said[:100]}..."
