"""What a person watching a run sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from policy.records import GroupCount

SHOWN = ("success", "reward", "affordance", "endpoint", "parse_rate", "filtered")
# Share of the old in the shown figures: one step's 128 answers scatter by 4 points.
SMOOTHING = 0.9
LINE_EVERY = 10  # steps between lines where there is no terminal to draw a bar in


class Screen:
    """A progress bar in a terminal, a line now and then elsewhere.

    Args:
        console: Where to print; None makes one for standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._figures: dict[str, float] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    @contextmanager
    def task(self, name: str, total: int, done: int = 0) -> Iterator[TaskID]:
        """Shows a bar while the `with` block runs; yields its id for `advance`."""
        self._figures = {}
        with self._progress:
            bar = self._progress.add_task(name, total=total, completed=done, figures="")
            yield bar
            self._progress.remove_task(bar)

    def move(self, bar: TaskID, done: int) -> None:
        """Sets how much of a task is done."""
        self._progress.update(bar, completed=done)

    def show_step(self, bar: TaskID, row: dict[str, Any]) -> None:
        """Shows a training step's figures, smoothed."""
        for name in SHOWN:
            new = float(row[name])
            old = self._figures.get(name, new)
            self._figures[name] = SMOOTHING * old + (1 - SMOOTHING) * new
        text = " ".join(f"{k} {v:.3f}" for k, v in self._figures.items())
        self._progress.update(bar, completed=row["step"], figures=text)
        if not self.console.is_terminal and row["step"] % LINE_EVERY == 0:
            self.say(f"step {row['step']}: {text}")

    def show_parameters(self, counts: Sequence[GroupCount]) -> None:
        """Shows how much of the policy trains, and in which numbers."""
        table = Table("weights")
        for name in ("parameters", "trained"):
            table.add_column(name, justify="right")
        table.add_column("dtype")
        for count in counts:
            numbers = (f"{n:,}" for n in (count.total, count.trainable))
            dtype = count.dtype + ", steps in float32" * count.masters
            table.add_row(count.group, *numbers, dtype)
        table.add_section()
        total, trained = (
            sum(getattr(count, name) for count in counts)
            for name in ("total", "trainable")
        )
        table.add_row("all", f"{total:,}", f"{trained:,}")
        self.say(table)

    def say(self, text: object) -> None:
        """Prints above the bar."""
        plain = isinstance(text, str)
        self.console.print(text, highlight=False, markup=not plain, soft_wrap=plain)
