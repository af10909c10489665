"""The paper's table for a terminal: scorers side by side, printed figures below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from policy.evaluation.printed import PRINTED, Printed
from policy.evaluation.scorers import SCORERS

TITLES = {
    "iou": "IoU, %",
    "iou_above_half": "IoU above 0.5",
    "dfd": "DFD",
    "hd": "HD",
    "rmse": "RMSE",
    "average": "average error",
    "end_within_20px": "end within 20 px",
    "parse_rate": "parse rate",
}
RATES = ("iou_above_half", "end_within_20px", "parse_rate")
COUNTS = {"n": "answers", "boxes": "boxes counted", "paths": "paths counted"}
COLUMNS = ("iou", "dfd", "hd", "rmse", "average")
CLASS = "iou/"

Scores = Mapping[str, Mapping[str, Any]]
"""Name of a scorer to its figures, as `Scoreboard.to_row` has them."""


def tabulate_scores(
    scores: Scores, title: str, failures: Mapping[str, int] | None = None
) -> Table:
    """Returns one policy's figures, a column a scorer, with what each flatters.

    Args:
        scores: The figures.
        title: Whose, and of what.
        failures: Why answers failed, and how often.
    """
    rules = [
        f"{name}: {SCORERS[name].rule}; flatters {SCORERS[name].flatters}"
        for name in scores
    ]
    units = "distances in 0..1000 units; 95 % intervals"
    table = Table(
        title=title, caption="\n".join([units, *rules]), caption_justify="left"
    )
    table.add_column("")
    for name in scores:
        table.add_column(name)
    for name in _list_figures(scores):
        cells = [_format(name, figures) for figures in scores.values()]
        table.add_row(Text(_title(name)), *cells)
    table.add_section()
    for name, words in COUNTS.items():
        if any(name in figures for figures in scores.values()):
            counts = [str(figures.get(name, "-")) for figures in scores.values()]
            table.add_row(words, *counts)
    if failures:
        reasons = "\n".join(f"{n} {reason}" for reason, n in failures.items())
        table.add_section()
        table.add_row("why answers failed", Text(reasons))
    return table


def tabulate_printed(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """Returns own figures above those that papers print.

    Args:
        rows: Of each own line its words and its figures.
    """
    table = Table(caption="printed: one number each, no seeds, no intervals")
    table.add_column("policy")
    for name in COLUMNS:
        table.add_column(TITLES[name], justify="right")
    for words, figures in rows:
        table.add_row(
            Text(words), *(_spell_mean(figures.get(name)) for name in COLUMNS)
        )
    for place in dict.fromkeys(printed.on for printed in PRINTED):
        table.add_section()
        for line in PRINTED:
            if line.on == place:
                table.add_row(*_list_printed(line))
    return table


def _list_printed(line: Printed) -> list[str]:
    figures = [_spell_mean(getattr(line, name)) for name in COLUMNS]
    return [f"{line.model}, {line.on}", *figures]


def _list_figures(scores: Scores) -> list[str]:
    found = dict.fromkeys(name for figures in scores.values() for name in figures)
    classes = [name for name in found if name.startswith(CLASS)]
    known = [name for name in TITLES if name in found]
    place = known.index("iou") + 1 if classes else 0
    return [*known[:place], *classes, *known[place:]]


def _title(name: str) -> str:
    """A figure's words; a class stands below all of them."""
    return f"  {name.removeprefix(CLASS)}" if name.startswith(CLASS) else TITLES[name]


def _format(name: str, figures: Mapping[str, Any]) -> str:
    if name not in figures:
        return "-"
    digits = 3 if name in RATES else 1
    low, high = (f"{bound:.{digits}f}" for bound in figures["intervals"][name])
    return f"{figures[name]:.{digits}f}\n[{low}, {high}]"


def _spell_mean(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
