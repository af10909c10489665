"""What a person watching a run sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from policy.records import GroupCount

SHOWN = ("success", "reward", "affordance", "endpoint", "parse_rate", "filtered")
# Share of the old in the shown figures: one step's 128 answers scatter by 4 points.
SMOOTHING = 0.9
# Between lines where there is no terminal to draw a bar in.
LINE_EVERY = 10  # steps
LINE_EVERY_S = 30.0  # s, of other work


class Rate(ProgressColumn):
    """How fast a task goes: so many a second, or seconds each."""

    def render(self, task: Task) -> Text:
        """Returns what to show; nothing before it is known."""
        speed = task.finished_speed or task.speed
        return Text(spell_rate(speed) if speed else "", style="progress.data.speed")


def spell_rate(speed: float) -> str:
    """Returns a rate in words.

    Args:
        speed: Of the work, 1/s.
    """
    return f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each"


class Screen:
    """A progress bar in a terminal, a line now and then elsewhere.

    Args:
        console: Where to print, and the clock; None makes one for standard output.
        quiet: Whether to print nothing at all; errors are not printed here.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False) -> None:
        self.console = console or Console(quiet=quiet)
        self._said = 0.0  # when the last line was printed of a task without a bar
        self._figures: dict[str, float] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    @contextmanager
    def task(self, name: str, total: int, done: int = 0) -> Iterator[TaskID]:
        """Shows a bar while the `with` block runs; yields its id for `advance`."""
        self._figures, self._said = {}, self.console.get_time()
        with self._progress:
            bar = self._progress.add_task(name, total=total, completed=done, figures="")
            yield bar
            self._progress.remove_task(bar)

    def move(self, bar: TaskID, done: int) -> None:
        """Sets how much of a task is done."""
        self._progress.update(bar, completed=done)
        now = self.console.get_time()
        if not self.console.is_terminal and now - self._said > LINE_EVERY_S:
            self._said = now
            self.say(_spell_task(self._progress.tasks[-1]))

    def show_step(self, bar: TaskID, row: dict[str, Any]) -> None:
        """Shows a training step's figures, smoothed."""
        # Nothing of a step of images alone was executed: it has no success.
        for name in (name for name in SHOWN if name in row):
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


def _spell_task(task: Task) -> str:
    """What is done, how much of it, how fast, and how long it takes yet."""
    words = f"{task.description}: {task.completed:g} of {task.total:g}"
    if not task.speed:
        return words
    left = timedelta(seconds=round((task.remaining or 0) / task.speed))
    return f"{words}, {spell_rate(task.speed)}, {left} left"
