"""A run's directory: every file that training leaves behind.

    config.yaml  metrics.jsonl  rollouts.jsonl  events.out.tfevents.*  summary.json
    before.json  evaluations/{before,after}.jsonl  evaluations/images/
    videos/before.mp4  videos/after.mp4  checkpoints/step_<n>/  final/
    bad_step_<n>/ of a run that stopped because its gradient was not finite

Lines are flushed as they are written. A resumed run first drops the lines of steps
after its checkpoint, so the files end as if it had never stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from torch import Tensor

from envs.video.drawing import draw_plan
from policy.records import Group
from policy.rollout.log import (
    IMAGES,
    EvaluationLog,
    describe_rollout,
    read_answer,
    read_rows,
)
from policy.training.boards import BOARDS, Board, Picture, Watched, flatten
from policy.training.checkpoint import find_newest

ROLLOUTS_LIMIT = 256 * 2**20  # bytes; then rollouts.jsonl is complete enough


class RunDir:
    """Where a run writes.

    Attributes:
        path: The directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._boards: list[Board] = []

    @classmethod
    def create(cls, path: Path, config: str) -> RunDir:
        """Makes the directory of a new run and writes its config.yaml.

        Raises:
            FileExistsError: If there is something at the path.
        """
        cls.check_free(path)
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path)
        run._write("config.yaml", config)
        return run

    @staticmethod
    def check_free(path: Path) -> None:
        """Raises a FileExistsError if there is anything at the path of a new run."""
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise FileExistsError(
                f"run directory {path} already exists and is never overwritten; "
                f"go on with it by resume={path}, or choose another run_dir="
            )

    @classmethod
    def open(cls, path: Path) -> RunDir:
        """Opens the directory of a run that was interrupted.

        Raises:
            FileNotFoundError: If it is not the directory of a run.
        """
        if not (path / "config.yaml").is_file():
            raise FileNotFoundError(
                f"resume={path}: no config.yaml there, so it is not a run directory"
            )
        return cls(path)

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    def video(self, name: str) -> Path:
        """Returns the path of a video, its folder made."""
        folder = self.path / "videos"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.mp4"

    def rewind(self, step: int) -> float:
        """Forgets what was written after a step.

        Returns:
            The seconds of training that the steps kept have taken.
        """
        for name in ("metrics.jsonl", "rollouts.jsonl"):
            self._cut(self.path / name, step)
        rows = self.read_metrics()
        return float(rows[-1]["timing"]["elapsed_s"]) if rows else 0.0

    def open_boards(self, names: Sequence[str]) -> None:
        """Opens what shows the run, of `BOARDS`, from its newest checkpoint on."""
        config = yaml.safe_load((self.path / "config.yaml").read_text())
        done = find_newest(self.checkpoints)
        run = Watched(path=self.path, config=config, done=done)
        self._boards = [BOARDS[name](run) for name in names]

    def read_metrics(self) -> list[dict[str, Any]]:
        """Returns the lines of metrics.jsonl but one that was cut off."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def log_step(self, row: dict[str, Any]) -> None:
        """Adds a line to metrics.jsonl and a point to the curves."""
        self._append("metrics.jsonl", [_drop_infinite(row)])
        figures = flatten({k: v for k, v in row.items() if k != "step"})
        for board in self._boards:
            board.plot(figures, int(row["step"]))

    def log_rollouts(
        self, step: int, groups: Sequence[Group], advantages: Tensor
    ) -> None:
        """Adds a line for every rollout to rollouts.jsonl, up to its limit.

        Args:
            step: Number of the step.
            groups: P groups.
            advantages: [P, G] of whole answers.
        """
        path = self.path / "rollouts.jsonl"
        if path.exists() and path.stat().st_size > ROLLOUTS_LIMIT:
            return
        rows = [
            {
                "step": step,
                **describe_rollout(rollout),
                "advantage": round(advantage, 6),
            }
            for group, values in zip(groups, advantages.tolist(), strict=True)
            for rollout, advantage in zip(group.rollouts, values, strict=True)
        ]
        self._append("rollouts.jsonl", rows)

    def open_evaluation(self, name: str) -> EvaluationLog:
        """Returns what keeps the answers to held-out scenes, "before" or "after"."""
        return EvaluationLog(self.path / "evaluations", name)

    def read_evaluation(self, name: str) -> list[dict[str, Any]]:
        """Returns the rows of what `open_evaluation` kept; none if it did not."""
        return read_rows(self.path / "evaluations" / f"{name}.jsonl")

    def show_evaluation(
        self, name: str, figures: dict[str, Any], step: int, count: int
    ) -> None:
        """Shows the figures of an evaluation and its first answers.

        Args:
            name: "before" or "after".
            figures: As summary.json has them.
            step: Of the training.
            count: How many answers.
        """
        folder = self.path / "evaluations" / IMAGES
        rows = self.read_evaluation(name)[:count] if self._boards else []
        pictures = [_draw_row(row, folder / row["image"]) for row in rows]
        for board in self._boards:
            board.plot(flatten(figures, f"{name}/"), step)
            board.show(name, pictures, step)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Writes a JSON file, whole or not at all."""
        self._write(name, json.dumps(content, indent=2) + "\n")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Returns what `write_json` wrote, None if it has not been written."""
        path = self.path / name
        return json.loads(path.read_text()) if path.exists() else None

    def close(self) -> None:
        """Closes what shows the run."""
        for board in self._boards:
            board.close()

    def _append(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        with (self.path / name).open("a") as file:
            file.write(text)

    def _write(self, name: str, text: str) -> None:
        partial = self.path / f".{name}.partial"
        partial.write_text(text)
        os.replace(partial, self.path / name)

    def _cut(self, path: Path, step: int) -> None:
        """Keeps the lines up to a step; one that a crash cut short goes too."""
        if not path.exists():
            return
        partial = path.with_name(f".{path.name}.partial")
        with path.open() as old, partial.open("w") as new:
            for line in old:
                if not line.endswith("\n") or json.loads(line)["step"] > step:
                    break
                new.write(line)
        os.replace(partial, path)


def _draw_row(row: dict[str, Any], image: Path) -> Picture:
    """An answer of `evaluations/`, drawn into what was seen, and its words."""
    seen = np.asarray(Image.open(image))
    verdict = "success" if row["success"] else row["reason"] or row["parse_failure"]
    words = f"{row['instruction']}\n{verdict}\n{row['text']}"
    return Picture(image=draw_plan(seen, read_answer(row)), words=words)


def _drop_infinite(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose numbers JSON can write: null for those of a step that failed."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in row.items()
    }
