"""What a run has done so far, a line for each step, answer and thing put aside.

    metrics.jsonl  rollouts.jsonl  aside.jsonl

Lines are flushed as they are written, and on the disk before a checkpoint is. A run
that is gone on with first drops the lines of steps after its checkpoint, so the files
end as if it had never stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from policy.records import Group
from policy.rollout.log import describe_rollout
from policy.rollout.workers import Aside

METRICS, ROLLOUTS, ASIDE = "metrics.jsonl", "rollouts.jsonl", "aside.jsonl"
ROLLOUTS_LIMIT = 256 * 2**20  # bytes; then rollouts.jsonl is complete enough


class History:
    """The lines in a run's directory."""

    def __init__(self, path: Path) -> None:
        """Starts or goes on with the files in a directory."""
        self._path = path

    def read(self) -> list[dict[str, Any]]:
        """Returns the lines of metrics.jsonl but one that was cut off.

        Raises:
            ValueError: A line is damaged; it is named.
        """
        path = self._path / METRICS
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [
            _parse(path, number, line)
            for number, line in enumerate(lines, 1)
            if line.endswith(b"\n")
        ]

    def check(self, step: int, checkpoint_every: int) -> None:
        """Refuses to go on where metrics and checkpoints tell different stories.

        Args:
            step: That of the checkpoint, 0 without one.
            checkpoint_every: Steps between checkpoints.

        Raises:
            ValueError: Lines up to the checkpoint are missing, or checkpoints are.
        """
        steps = [row["step"] for row in self.read()]
        if steps[:step] != list(range(1, step + 1)):
            raise ValueError(
                f"{self._path / METRICS} lacks lines of steps before the checkpoint of "
                f"step {step}: put it back, or start a new run from the checkpoint by "
                "policy="
            )
        # A step's lines are written before its checkpoint, so one more may be there.
        if not step and len(steps) > checkpoint_every:
            raise ValueError(
                f"{self._path / METRICS} has {len(steps)} steps, but there is no "
                "checkpoint: put checkpoints/ back, or start a new run"
            )

    def rewind(self, step: int) -> float:
        """Forgets what was written after a step.

        Returns:
            The seconds of training that the steps kept have taken.
        """
        for name in (METRICS, ROLLOUTS, ASIDE):
            self._cut(self._path / name, step)
        rows = self.read()
        return float(rows[-1]["timing"]["elapsed_s"]) if rows else 0.0

    def add_step(self, row: dict[str, Any]) -> None:
        """Adds a line to metrics.jsonl."""
        self._append(METRICS, [_drop_infinite(row)])

    def add_rollouts(
        self, step: int, groups: Sequence[Group], advantages: Tensor
    ) -> None:
        """Adds a line for every rollout to rollouts.jsonl, up to its limit.

        Args:
            step: Number of the step.
            groups: P groups.
            advantages: [P, G] of whole answers.
        """
        path = self._path / ROLLOUTS
        if path.exists() and path.stat().st_size > ROLLOUTS_LIMIT:
            return
        rows = [
            {
                "step": step,
                "turn": group.turn,
                **describe_rollout(rollout),
                "advantage": round(advantage, 6),
            }
            for group, values in zip(groups, advantages.tolist(), strict=True)
            for rollout, advantage in zip(group.rollouts, values, strict=True)
        ]
        self._append(ROLLOUTS, rows)

    def add_aside(self, step: int, found: Sequence[Aside]) -> None:
        """Adds a line to aside.jsonl for each thing that nobody could finish."""
        rows = [
            {
                "step": step,
                "what": one.what,
                "why": one.why,
                "scene": one.scene.to_dict(),
                "answers": [asdict(answer) for answer in one.answers],
            }
            for one in found
        ]
        if rows:
            self._append(ASIDE, rows)

    def flush(self) -> None:
        """Brings the lines written so far to the disk."""
        for name in (METRICS, ROLLOUTS, ASIDE):
            if (self._path / name).exists():
                with (self._path / name).open("a") as file:
                    os.fsync(file.fileno())

    def _append(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        with (self._path / name).open("a") as file:
            file.write(text)

    def _cut(self, path: Path, step: int) -> None:
        """Keeps the lines up to a step; one that a crash cut short goes too."""
        if not path.exists():
            path.unlink(missing_ok=True)  # a link to what would be made elsewhere
            return
        partial = path.with_name(f".{path.name}.partial")
        try:
            with path.open("rb") as old, partial.open("wb") as new:
                new.writelines(_take(path, old, step))
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        os.replace(partial, path)


def _take(path: Path, lines: Iterable[bytes], step: int) -> Iterator[bytes]:
    """Yields the whole lines up to a step."""
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n") or _parse(path, number, line)["step"] > step:
            return
        yield line


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """A line of a file.

    Raises:
        ValueError: It is none; file and line are named.
    """
    try:
        row = json.loads(line)
        int(row["step"])
    except (ValueError, TypeError, LookupError, RecursionError) as error:
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
