"""A run's directory: every file that training leaves behind.

    config.yaml  metrics.jsonl  rollouts.jsonl  events.out.tfevents.*  summary.json
    before.json  evaluations/{before,after}.jsonl  evaluations/images/
    videos/before.mp4  videos/after.mp4  checkpoints/step_<n>/  final/
    bad_step_<n>/ of a run that stopped because its gradient was not finite

Lines are flushed as they are written. A resumed run first drops the lines of steps
after its checkpoint, so the files end as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from policy.records import Group
from policy.rollout.log import EvaluationLog, describe_rollout, read_rows

LOCK = ".lock"
_STEPS = re.compile(r"^steps: .*$", re.MULTILINE)
ROLLOUTS_LIMIT = 256 * 2**20  # bytes; then rollouts.jsonl is complete enough


class RunDir:
    """Where a run writes.

    Attributes:
        path: The directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._board: SummaryWriter | None = None
        self._lock = FileLock(path / LOCK, timeout=0)

    @classmethod
    def create(cls, path: Path) -> RunDir:
        """Makes the directory of a new run and takes it.

        Raises:
            FileExistsError: If there is something at the path.
            OSError: If nobody may write there.
        """
        cls.check_free(path)
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path)
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

    def check_history(self, step: int, checkpoint_every: int) -> None:
        """Refuses to go on where metrics and checkpoints tell different stories.

        Args:
            step: That of the checkpoint, 0 without one.
            checkpoint_every: Steps between checkpoints.

        Raises:
            ValueError: Lines up to the checkpoint are missing, or checkpoints are.
        """
        steps = [row["step"] for row in self.read_metrics()]
        if steps[:step] != list(range(1, step + 1)):
            raise ValueError(
                f"{self.path / 'metrics.jsonl'} lacks lines of steps before the "
                f"checkpoint of step {step}: put it back, or start a new run from "
                f"policy={self.checkpoints / f'step_{step}'}"
            )
        if not step and len(steps) >= checkpoint_every:
            raise ValueError(
                f"{self.path / 'metrics.jsonl'} has {len(steps)} steps, but there is "
                f"no checkpoint in {self.checkpoints}: put them back, or start a new "
                "run"
            )

    def rewind(self, step: int) -> float:
        """Forgets what was written after a step.

        Returns:
            The seconds of training that the steps kept have taken.
        """
        for name in ("metrics.jsonl", "rollouts.jsonl"):
            self._cut(self.path / name, step)
        purge = step + 1 if step else None
        self._board = SummaryWriter(str(self.path), purge_step=purge)
        rows = self.read_metrics()
        return float(rows[-1]["timing"]["elapsed_s"]) if rows else 0.0

    def read_metrics(self) -> list[dict[str, Any]]:
        """Returns the lines of metrics.jsonl but one that was cut off."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [
            _parse(path, number, line)
            for number, line in enumerate(lines, 1)
            if line.endswith("\n")
        ]

    def flush(self) -> None:
        """Brings the lines written so far to the disk, as a checkpoint needs them."""
        for name in ("metrics.jsonl", "rollouts.jsonl"):
            if (self.path / name).exists():
                with (self.path / name).open("a") as file:
                    os.fsync(file.fileno())

    def log_step(self, row: dict[str, Any]) -> None:
        """Adds a line to metrics.jsonl and its numbers to TensorBoard."""
        self._append("metrics.jsonl", [_drop_infinite(row)])
        if self._board is not None:
            _plot(self._board, row, int(row["step"]))
            self._board.flush()

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

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Writes a JSON file, whole or not at all."""
        self._write(name, json.dumps(content, indent=2) + "\n")

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Returns what `write_json` wrote, None if it has not been written."""
        path = self.path / name
        if not path.exists():
            return None
        try:
            return dict(json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is damaged: remove it or put it back") from error

    def close(self) -> None:
        """Closes the TensorBoard file and lets others write here.

        A directory in which nothing was written goes.
        """
        if self._board is not None:
            self._board.close()
        self._lock.release()
        if self.path.is_dir() and {one.name for one in self.path.iterdir()} == {LOCK}:
            shutil.rmtree(self.path)

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
            for number, line in enumerate(old, 1):
                whole = line.endswith("\n")
                if not whole or _parse(path, number, line)["step"] > step:
                    break
                new.write(line)
        os.replace(partial, path)


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    """A line of a file of steps.

    Raises:
        ValueError: It is none; file and line are named.
    """
    try:
        row = json.loads(line)
        int(row["step"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path}, line {number} is damaged: put the file back as it was, or start "
            "a new run"
        ) from error
    return row


def _drop_infinite(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose numbers JSON can write: null for those of a step that failed."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in row.items()
    }


def _plot(
    board: SummaryWriter, row: dict[str, Any], step: int, under: str = ""
) -> None:
    for name, value in row.items():
        if isinstance(value, dict):
            _plot(board, value, step, f"{under}{name}/")
        elif isinstance(value, int | float) and np.isfinite(value):
            board.add_scalar(f"{under}{name}", value, step)
