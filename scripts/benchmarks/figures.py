"""Figures: median, lowest and highest of several rounds, beside the bar to meet.

Names with a dot are nested in the JSON: `stages.decode` is `decode` in `stages`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

Bars = Mapping[str, Mapping[str, float]]
"""Name of a figure to `{"least": value}` or `{"most": value}`, for its median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured quantity; its name tells the unit.

    Attributes:
        median: Median of the rounds.
        low: The lowest of them.
        high: The highest.
    """

    median: float
    low: float
    high: float


Figures = dict[str, Figure]


def summarise(values: Sequence[float]) -> Figure:
    """Returns median, lowest and highest of at least one value."""
    return Figure(
        median=float(median(values)), low=float(min(values)), high=float(max(values))
    )


def summarise_rows(rows: Sequence[Mapping[str, float]], prefix: str = "") -> Figures:
    """Returns the figures of rounds that each measured the same names."""
    return {
        f"{prefix}{name}": summarise([row[name] for row in rows]) for name in rows[0]
    }


def divide(above: Sequence[float], below: Sequence[float]) -> Figure:
    """Returns the ratio of two quantities that were measured in the same rounds."""
    return summarise([a / b for a, b in zip(above, below, strict=True)])


def meets(figure: Figure, bar: Mapping[str, float]) -> bool:
    """Whether a median is on the right side of its bar."""
    least, most = bar.get("least", -float("inf")), bar.get("most", float("inf"))
    return least <= figure.median <= most


def tabulate(figures: Figures, bars: Bars) -> Table:
    """Returns the table that is printed, a section for each group of names."""
    table = Table(header_style="bold", row_styles=("", "dim"))
    table.add_column("figure", no_wrap=True)
    for column in ("median", "low", "high", "bar"):
        table.add_column(column, justify="right")
    groups = [name.partition(".")[0] if "." in name else "" for name in figures]
    for (name, figure), group, following in zip(
        figures.items(), groups, [*groups[1:], None], strict=True
    ):
        values = (figure.median, figure.low, figure.high)
        table.add_row(
            name,
            *map(_spell, values),
            _spell_bar(figure, bars.get(name)),
            end_section=group != following,
        )
    return table


def write(path: Path, machine: Mapping[str, Any], figures: Figures, bars: Bars) -> None:
    """Writes figures as JSON, with what they were measured on and the bars met."""
    result: dict[str, Any] = {
        "machine": dict(machine),
        "bars": {
            name: {**bar, "met": meets(figures[name], bar)}
            for name, bar in bars.items()
            if name in figures
        },
    }
    for name, figure in figures.items():
        *folders, leaf = name.split(".")
        place = result
        for folder in folders:
            place = place.setdefault(folder, {})
        place[leaf] = asdict(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


def _spell(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _spell_bar(figure: Figure, bar: Mapping[str, float] | None) -> str:
    if bar is None:
        return ""
    ((kind, value),) = bar.items()
    sign = {"least": "\u2265", "most": "\u2264"}[kind]
    colour = "green" if meets(figure, bar) else "red"
    return f"[{colour}]{sign} {value:g} {'met' if meets(figure, bar) else 'missed'}"
