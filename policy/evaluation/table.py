"""Evaluations as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from policy.evaluation.figures import DISTANCES, RATES
from policy.evaluation.language import FIGURES

FEW = 4  # evaluations side by side; more are listed one below the other
# What is told of many evaluations, for they must fit 80 columns; the rest is in `out=`.
BELOW = {"success": "success", "parse_rate": "parsed", "iou": "IoU", "average": "path"}
CAPTION = "IoU in %, distances in 0..1000 units; 95 % intervals"


def tabulate(rows: Sequence[dict[str, Any]]) -> Table:
    """Returns rows of evaluations as the paper's table.

    A few stand side by side with all their intervals; more, such as all scenes of the
    library, below each other, with the mean over them for each policy.
    """
    return _set_beside(rows) if len(rows) <= FEW else _list_below(rows)


def tabulate_words(rows: Sequence[dict[str, Any]]) -> Table:
    """Returns rows of `policy.evaluation.language` as a table."""
    first = rows[0]
    title = f"{_name(first)}, {first['split']}: asked for another object"
    table = Table("env", "n", *(name for name in FIGURES), title=title)
    for row in rows:
        found = [f"{row[name]:.3f}" for name in FIGURES]
        table.add_row(row["env"], str(row["n"]), *found)
    table.add_section()
    means = [f"{np.mean([row[name] for row in rows]):.3f}" for name in FIGURES]
    table.add_row("mean", "", *means)
    return table


def tabulate_pairs(
    found: Mapping[str, Mapping[str, Any]], title: str, env: str
) -> Table:
    """Returns comparisons scene by scene (`policy.evaluation.pairs`) as a table.

    Args:
        found: Rows of `Pairs` by name of the figure, `success` or `success/<scene>`.
        title: Which policies are compared.
        env: What all scenes are of together.
    """
    table = Table(
        title=title, caption="paired, 95 % intervals; p: McNemar's exact test"
    )
    table.add_column("env")
    for name in ("n", "gained", "lost", "difference", "p"):
        table.add_column(name, justify="right")
    for name in sorted(found, key=lambda name: (name == "success", name)):
        row = found[name]
        counts = (str(row[count]) for count in ("n", "gained", "lost"))
        bounds = f"[{row['low']:+.3f}, {row['high']:+.3f}]"
        difference = f"{row['difference']:+.3f}  {bounds}"
        scene = name.partition("/")[2] or env
        table.add_row(scene, *counts, difference, f"{row['p_value']:.2g}")
    return table


def _set_beside(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(caption=CAPTION)
    table.add_column("policy\nenv, split, n")
    for row in rows:
        where = f"{row['env']}, {row['split']}, {row['n']}"
        table.add_column(f"{_name(row)}\n{where}")
    for name in _list_figures(rows):
        table.add_row(_title(name), *(_format_figure(row, name) for row in rows))
    table.add_section()
    table.add_row("why answers failed", *(_format_failures(row, "\n") for row in rows))
    return table


def _list_below(rows: Sequence[dict[str, Any]]) -> Table:
    first = rows[0]
    names = [name for name in BELOW if name in _list_figures(rows)]
    title = f"{_name(first)}, {first['split']}, {first['n']} scenes each"
    table = Table(title=title, caption=CAPTION, box=box.SIMPLE, pad_edge=False)
    for column in ("env", *(BELOW[name] for name in names)):
        table.add_column(column, no_wrap=True)
    table.add_column("most failed by")
    for row in rows:
        shown, *others = names
        means = [_format_mean(row, name) for name in others]
        failures = _format_failures(row, "", most=1).replace("_", " ")
        table.add_row(row["env"], _format_figure(row, shown), *means, failures)
    table.add_section()
    table.add_row("mean", *(_average(rows, name) for name in names))
    return table


def _name(row: dict[str, Any]) -> str:
    """A policy's name; of a path the last two parts, as many end in final."""
    return "/".join(Path(row["policy"]).parts[-2:])


def _list_figures(rows: Sequence[dict[str, Any]]) -> list[str]:
    parts = {n: None for row in rows for n in row if "/" in n}
    names = (*RATES, "iou", *DISTANCES, *parts)
    return [name for name in names if any(name in row for row in rows)]


def _title(name: str) -> str:
    """A figure's words; success in a kind of scene is called by the scene."""
    figure, _, source = name.removeprefix("success/").partition("/")
    return " of ".join(word.replace("_", " ") for word in (figure, source) if word)


def _format_figure(row: dict[str, Any], name: str) -> str:
    if name not in row:
        return "-"
    low, high = (_spell(name, bound) for bound in row["intervals"][name])
    return f"{_spell(name, row[name])}  [{low}, {high}]"


def _format_mean(row: dict[str, Any], name: str) -> str:
    return _spell(name, row[name]) if name in row else "-"


def _average(rows: Sequence[dict[str, Any]], name: str) -> str:
    return _spell(name, float(np.mean([row[name] for row in rows if name in row])))


def _spell(name: str, value: float) -> str:
    return f"{value:.{3 if name.split('/')[0] in RATES else 1}f}"


def _format_failures(row: dict[str, Any], between: str, most: int = 100) -> str:
    found = list(row["failures"].items())[:most]
    return between.join(f"{count} {reason}" for reason, count in found) or "-"
