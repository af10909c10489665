"""Attempts on disk, as a run keeps its answers to held-out scenes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envs.rollout import Rollout
from policy.rollout.log import IMAGES, describe_episode, read_rows, save_image
from policy.runtime.whole import replace_text

NAME = "played"


class Saver:
    """Writes `evaluations/played.jsonl` of a directory, which is made when needed.

    Args:
        path: The directory; what it holds already stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path / "evaluations" / f"{NAME}.jsonl"
        self._episodes: dict[object, list[dict[str, Any]]] = {}
        self._before = read_rows(self._file)

    def save(self, key: object, by: Sequence[str], episode: Sequence[Rollout]) -> None:
        """Saves the attempts at a scene; again under the same key replaces them.

        Args:
            key: Tells episodes apart.
            by: Who answered, turn after turn.
            episode: The rollouts, turn after turn.
        """
        images = self._file.parent / IMAGES
        images.mkdir(parents=True, exist_ok=True)
        rows = zip(describe_episode(episode), episode, by, strict=True)
        self._episodes[key] = [
            row | {"policy": name, "image": save_image(rollout, images)}
            for row, rollout, name in rows
        ]
        self._write()

    def _write(self) -> None:
        rows = [
            *self._before,
            *(row for rows in self._episodes.values() for row in rows),
        ]
        replace_text(self._file, "".join(json.dumps(row) + "\n" for row in rows))
