"""Scenes as TRL and verl read prompts: words, image, and what answers are judged by.

A parquet file with a row a scene. The scene's part is a text (`policy.serving.case`),
so that it passes through every table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from envs.answer import Codec
from envs.records import UNTOLD
from envs.scene import Scene
from policy.data.images import encode_png
from policy.model.prompt import build_prompt, format_words
from policy.serving.case import Case, write_case

GROUP = 100  # rows that are written together
SOURCE = "graspo"
IMAGE = "<image>"  # where verl puts one
TYPES = {
    "trl": {"prompt": "turns", "image": "image", "scene": "text"},
    "verl": {
        "data_source": "text",
        "prompt": "turns",
        "images": "images",
        "ability": "text",
        "reward_model": "judged",
        "extra_info": "origin",
    },
}
"""Columns of each format, and the kind of each."""


def describe(scene: Scene, form: str, style: str, codec: Codec) -> dict[str, Any]:
    """Returns a row.

    Args:
        scene: What is asked about.
        form: "trl", which puts the image before the words, or "verl".
        style: One of `policy.model.prompt.STYLES`.
        codec: The coordinates in which the policy answers.
    """
    words = format_words(build_prompt(scene.observation), style, codec)
    # What is told is in the words; a reader of the case looks up none of it.
    config = replace(scene.config, knowledge=UNTOLD)
    case = write_case(Case(scene=config, answer=scene.observation.answer, codec=codec))
    if form == "trl":
        return {"prompt": [_ask(words)], "image": _encode(scene), "scene": case}
    return {
        "data_source": SOURCE,
        "prompt": [_ask(IMAGE + words)],
        "images": [_encode(scene)],
        "ability": "manipulation",
        "reward_model": {"style": "rule", "ground_truth": case},
        "extra_info": {"env": scene.name, "split": scene.split, "seed": scene.seed},
    }


def write(rows: Iterable[dict[str, Any]], path: Path, form: str) -> int:
    """Writes a table; returns the number of its rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, count = _make_schema(form), 0
    with pq.ParquetWriter(path, schema) as writer:
        for group in _split(iter(rows)):
            writer.write_table(pa.Table.from_pylist(group, schema))
            count += len(group)
    return count


def _split(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while group := list(islice(rows, GROUP)):
        yield group


def _ask(words: str) -> dict[str, str]:
    return {"role": "user", "content": words}


def _encode(scene: Scene) -> dict[str, Any]:
    """The observation's image as tables hold one: a PNG's bytes."""
    return {"bytes": encode_png(scene.observation.image), "path": None}


def _make_schema(form: str) -> Any:
    import pyarrow as pa

    text = pa.string()
    image = pa.struct({"bytes": pa.binary(), "path": text})
    kinds = {
        "text": text,
        "turns": pa.list_(pa.struct({"role": text, "content": text})),
        "image": image,
        "images": pa.list_(image),
        "judged": pa.struct({"style": text, "ground_truth": text}),
        "origin": pa.struct({"env": text, "split": text, "seed": pa.int64()}),
    }
    schema = pa.schema({name: kinds[kind] for name, kind in TYPES[form].items()})
    return schema.with_metadata(_name_images(form))


def _name_images(form: str) -> dict[str, str] | None:
    """What tells `datasets` that a column holds images; verl opens its own."""
    if form != "trl":
        return None
    text = {"dtype": "string", "_type": "Value"}
    turn = {"role": text, "content": text}
    features = {
        "prompt": {"feature": turn, "_type": "List"},
        "image": {"_type": "Image"},
        "scene": text,
    }
    return {"huggingface": json.dumps({"info": {"features": features}})}
