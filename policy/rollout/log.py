"""Answers on disk: one line of JSON each, in `rollouts.jsonl` and in `evaluations/`.

A line says what was asked, what was answered and what came of it, and its scene can be
made again: `SceneConfig(**row["scene"])`. To see what was asked without making it again
the images of `evaluations/` lie beside its lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.records import Affordance, AnyAnswer, ParseFailure, Plan, Trajectory
from envs.rollout import Rollout
from envs.sampling.factors import describe_factors
from envs.scene import AnyScene, Scene
from policy.rollout.rows import find_mistake
from policy.runtime.whole import replace_bytes, replace_text

TEXT_LIMIT = 2000  # characters of an answer that are kept
IMAGES = "images"  # folder beside the lines
QUALITY = 85  # of JPEG: 5 kB an image and no visible loss


class EvaluationLog:
    """Collects the answers to held-out scenes and writes them down.

    Args:
        folder: Where to write; made if it is missing.
        name: Of the file of lines, e.g. "before".
    """

    def __init__(self, folder: Path, name: str) -> None:
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{name}.jsonl"
        self._rows: list[dict[str, Any]] = []

    def add(self, episode: Sequence[Rollout]) -> None:
        """Takes one scene's rollouts, turn after turn, and saves what was seen."""
        folder = self._path.parent / IMAGES
        for row, rollout in zip(describe_episode(episode), episode, strict=True):
            self._rows.append({**row, "image": save_image(rollout, folder)})

    def save(self) -> None:
        """Writes the file of lines, whole or not at all."""
        text = "".join(json.dumps(row) + "\n" for row in self._rows)
        replace_text(self._path, text)


def save_image(rollout: Rollout, folder: Path) -> str:
    """Saves what the policy saw; equal images are one file. Returns the file's name."""
    image = rollout.scene.observation.image
    name = f"{hashlib.sha256(image.tobytes()).hexdigest()[:16]}.jpg"
    if not (folder / name).exists():
        save_jpeg(image, folder / name)
    return name


def save_jpeg(image: NDArray[np.uint8], path: Path) -> None:
    """Writes [H, W, 3] pixels, whole or not at all: what is there is not made again."""
    content = BytesIO()
    Image.fromarray(image).save(content, "jpeg", quality=QUALITY)
    replace_bytes(path, content.getvalue())


def describe_rollout(rollout: Rollout) -> dict[str, Any]:
    """Returns a rollout as plain data for JSON."""
    scene, answer, outcome = rollout.scene, rollout.answer, rollout.outcome
    return {
        "env": scene.name,
        "seed": scene.seed,
        "scene": scene.config.to_dict(),
        "instruction": scene.instruction,
        "text": rollout.completion.text[:TEXT_LIMIT],
        "box": getattr(answer, "box", None),
        "waypoints": getattr(answer, "waypoints", None),
        "parse_failure": answer.reason if isinstance(answer, ParseFailure) else None,
        "success": outcome is not None and outcome.success,
        "reason": None if outcome is None else outcome.reason,
        "terms": {name: round(v, 6) for name, v in rollout.reward.terms.items()},
        "reward": round(rollout.reward.total, 6),
    }


def describe_episode(episode: Sequence[Rollout]) -> list[dict[str, Any]]:
    """Returns the rows of one scene's rollouts, turn after turn.

    They also have the expert's answer, and what the scene's random factors came to.
    """
    return [
        {
            "turn": turn,
            **describe_rollout(rollout),
            "expert": _describe_expert(rollout),
            "factors": _list_factors(rollout.scene),
        }
        for turn, rollout in enumerate(episode, start=1)
    ]


def _list_factors(scene: AnyScene) -> dict[str, Any]:
    if isinstance(scene, Scene):
        return describe_factors(scene)
    return {"category": scene.config.category}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Returns the rows of a file, but a last one that a crash cut short.

    Raises:
        ValueError: A line in the file is no JSON object.
    """
    if not path.exists():
        return []
    rows = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                rows.append(dict(json.loads(line)))
            except (ValueError, TypeError, RecursionError) as error:
                raise ValueError(
                    f"{path}, line {number} is no JSON object: {error}"
                ) from error
    return rows


def read_answers(path: Path) -> list[dict[str, Any]]:
    """Returns the rows of a file of `evaluations/`; see `read_rows`.

    Raises:
        ValueError: A line is no row of an answer; the field is named.
    """
    rows = read_rows(path)
    for number, row in enumerate(rows, start=1):
        if mistake := find_mistake(row):
            raise ValueError(f"{path}, line {number} is no answer: {mistake}")
    return rows


def has_scene(row: dict[str, Any]) -> bool:
    """Whether there is more behind a row than an annotated image."""
    return "item" not in row.get("scene", {})


def read_answer(row: dict[str, Any]) -> AnyAnswer:
    """Returns the answer of a row, equal to the one that was executed."""
    box, path = row["box"], row["waypoints"]
    if box is not None and path is not None:
        return Plan(box=_read_box(box), waypoints=_read_path(path))
    if box is not None:
        return Affordance(box=_read_box(box))
    if path is not None:
        return Trajectory(waypoints=_read_path(path))
    return ParseFailure(reason=row["parse_failure"] or "")


def _read_box(box: Sequence[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = map(float, box)
    return x1, y1, x2, y2


def _read_path(path: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, point)) for point in path)


def _describe_expert(rollout: Rollout) -> dict[str, Any] | None:
    reference = rollout.scene.reference
    if reference is None:
        return None
    return {"box": reference.box, "waypoints": reference.waypoints}
