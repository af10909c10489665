"""Tables and numbers of the page, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from policy.evaluation.statistics import Estimate

HALF_DIGIT = 0.005  # what is smaller is 0.00 in two digits


def tabulate(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table of Markdown; a `|` in a cell stays in its cell."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def spell(estimate: Estimate, form: str = ".2f") -> str:
    """Returns a mean and its interval: 0.62 [0.55, 0.69]."""
    values = (estimate.mean, estimate.low, estimate.high)
    mean, low, high = (f"{value:{form}}" for value in values)
    return f"{mean} [{low}, {high}]"


def spell_gain(gain: Estimate, sign: str = "") -> str:
    """Returns a difference, with a third digit where two leave it at 0.00.

    Args:
        gain: The difference.
        sign: "+" writes that of what is above zero, too.
    """
    smallest = min(map(abs, (gain.mean, gain.low, gain.high)))
    return spell(gain, f"{sign}.{3 if smallest < HALF_DIGIT else 2}f")
