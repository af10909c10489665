"""A run's directory: every file that training leaves behind.

    config.yaml  manifest.json  metrics.jsonl  rollouts.jsonl  aside.jsonl
    broken_items.jsonl of annotated images that cannot be read
    events.out.tfevents.*  report.html  summary.json
    before.json  evaluations/{before,after}.jsonl  evaluations/images/
    videos/before.mp4  videos/after.mp4  checkpoints/step_<n>/  final/
    bad_step_<n>/ of a run that stopped because its gradient was not finite

Its lines of steps, `metrics.jsonl` and the like, are in `policy.training.history`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from PIL import Image

from envs.video.drawing import draw_plan
from policy.rollout.log import (
    IMAGES,
    EvaluationLog,
    read_answer,
    read_rows,
)
from policy.runtime.stored import read_json, read_yaml
from policy.runtime.whole import replace_text
from policy.training.boards import BOARDS, Board, Picture, Watched, flatten
from policy.training.checkpoint import find_sound
from policy.training.history import History

LOCK = ".lock"
ROW = {"seed", "scene", "turn", "instruction", "text", "image"}  # of an evaluation
_STEPS = re.compile(r"^steps: .*$", re.MULTILINE)


class RunDir:
    """Where a run writes.

    Attributes:
        path: The directory.
        history: Its lines of steps.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history = History(path)
        self._boards: list[Board] = []
        self._made: list[Path] = []
        self._start: int | None = None
        self._lock = FileLock(path / LOCK, timeout=0)

    @classmethod
    def create(cls, path: Path) -> RunDir:
        """Makes the directory of a new run and takes it.

        Raises:
            FileExistsError: If there is something at the path.
            OSError: If nobody may write there.
        """
        cls.check_free(path)
        run = cls(path)
        run._made = [one for one in (path, *path.parents) if not one.exists()]
        path.mkdir(parents=True, exist_ok=True)
        run.take()
        cls.check_free(path)  # another may have been quicker
        return run

    @staticmethod
    def check_free(path: Path) -> None:
        """Raises a FileExistsError if there is anything at the path of a new run."""
        there = path.is_dir() and {inside.name for inside in path.iterdir()} <= {LOCK}
        if path.exists() and not there:
            raise FileExistsError(
                f"run directory {path} already exists and is never overwritten; "
                f"go on with it by resume={path}, or choose another run_dir="
            )

    def take(self) -> None:
        """Keeps other processes from writing here, as long as this one lives.

        Raises:
            FileExistsError: If another writes here.
            OSError: If nobody may.
        """
        try:
            self._lock.acquire()
        except Timeout as error:
            raise FileExistsError(
                f"another process is writing to {self.path}: wait for it, or choose "
                "another run_dir="
            ) from error

    def find_start(self, say: Callable[[str], None]) -> int:
        """Returns the step that the run goes on from, 0 if it starts.

        It is looked for once: what trains, shows and refuses has to agree on it.

        Args:
            say: Told of each newer checkpoint that is damaged.

        Raises:
            ValueError: See `find_sound`.
        """
        if self._start is None:
            self._start = find_sound(self.checkpoints, self.digest_config(), say)
        return self._start

    def digest_config(self) -> str:
        """Returns a digest of config.yaml but for `steps`, which may grow."""
        kept = _STEPS.sub("", (self.path / "config.yaml").read_text())
        return hashlib.blake2b(kept.encode(), digest_size=16).hexdigest()

    def write_config(self, config: str) -> None:
        """Writes config.yaml, by which a directory is that of a run."""
        self._write("config.yaml", config)

    def set_steps(self, steps: int) -> None:
        """Changes `steps` in config.yaml."""
        text = (self.path / "config.yaml").read_text()
        self._write("config.yaml", _STEPS.sub(f"steps: {steps}", text))

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    def video(self, name: str) -> Path:
        """Returns the path of a video, its folder made."""
        folder = self.path / "videos"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.mp4"

    def open_boards(self, names: Sequence[str], done: int) -> None:
        """Opens what shows the run.

        Args:
            names: Of `BOARDS`.
            done: The step that the run goes on from.
        """
        config = read_yaml(self.path / "config.yaml")
        run = Watched(path=self.path, config=config, done=done)
        self._boards = [BOARDS[name](run) for name in names]

    def log_step(self, row: dict[str, Any]) -> None:
        """Adds a line to metrics.jsonl and a point to the curves."""
        self.history.add_step(row)
        figures = flatten({k: v for k, v in row.items() if k != "step"})
        for board in self._boards:
            board.plot(figures, int(row["step"]))

    def open_evaluation(self, name: str) -> EvaluationLog:
        """Returns what keeps the answers to held-out scenes, "before" or "after"."""
        return EvaluationLog(self.path / "evaluations", name)

    def read_evaluation(self, name: str) -> list[dict[str, Any]]:
        """Returns the rows of what `open_evaluation` kept; none if it did not.

        Raises:
            ValueError: A row is damaged; it is named.
        """
        path = self.path / "evaluations" / f"{name}.jsonl"
        rows = read_rows(path)
        for number, row in enumerate(rows, 1):
            if not (row.keys() >= ROW and isinstance(row["scene"], dict)):
                raise ValueError(
                    f"{path}, line {number} is damaged, or of another version: put the "
                    "file back as it was, or start a new run"
                )
        return rows

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
        pictures = [_draw_row(row, folder / Path(row["image"]).name) for row in rows]
        for board in self._boards:
            board.plot(flatten(figures, f"{name}/"), step)
            board.show(name, pictures, step)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Writes a JSON file, whole or not at all."""
        self._write(name, json.dumps(content, indent=2) + "\n")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Returns what `write_json` wrote, None if it has not been written."""
        path = self.path / name
        try:
            return read_json(path) if path.exists() else None
        except ValueError as error:
            raise ValueError(f"{path} is damaged: remove it or put it back") from error

    def close(self) -> None:
        """Closes what shows the run and lets others write here.

        Directories that were made for the run and are empty go.
        """
        for board in self._boards:
            with suppress(OSError):  # of a full disk, which has been told of
                board.close()
        self._lock.release()
        if self.path.is_dir() and {one.name for one in self.path.iterdir()} == {LOCK}:
            (self.path / LOCK).unlink()
            with suppress(OSError):  # somebody else has filled one
                for folder in self._made:
                    folder.rmdir()

    def _write(self, name: str, text: str) -> None:
        replace_text(self.path / name, text)


def _draw_row(row: dict[str, Any], image: Path) -> Picture:
    """An answer of `evaluations/`, drawn into what was seen, and its words."""
    seen = np.asarray(Image.open(image, formats=("JPEG",)))
    failure = row["reason"] or row["parse_failure"] or "not executed"
    verdict = "success" if row["success"] else failure
    words = f"{row['instruction']}\n{verdict}\n{row['text']}"
    return Picture(image=draw_plan(seen, read_answer(row)), words=words)
