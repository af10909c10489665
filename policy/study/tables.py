"""Tables and numbers of the page, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from policy.evaluation.statistics import Estimate


def tabulate(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table of Markdown; a `|` in a cell stays in its cell."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def spell(estimate: Estimate, signed: bool = False) -> str:
    """Returns a mean and its interval: 0.62 [0.55, 0.69]."""
    sign = "+" if signed else ""
    mean, low, high = (
        f"{value:{sign}.2f}" for value in (estimate.mean, estimate.low, estimate.high)
    )
    return f"{mean} [{low}, {high}]"
