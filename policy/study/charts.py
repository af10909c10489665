"""Figures of the page: SVG, drawn the same from the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from policy.evaluation.statistics import Estimate
from policy.study.prediction import Bin

INK, ACCENT, FAINT = "#24292f", "#1f6feb", "#8c959f"
WIDTH = 7.2  # inches
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "svg.hashsalt": "graspo",  # the same names in the file each time
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw_deciles(curves: Mapping[str, Sequence[Bin]], path: Path) -> None:
    """Draws success by tenths of the answers.

    Args:
        curves: Name of a score to its tenths; the first stands out.
        path: The file.
    """
    with _canvas(path, 3.0) as axes:
        for place, (name, bins) in enumerate(curves.items()):
            numbers = range(1, len(bins) + 1)
            means = [one.success.mean for one in bins]
            colour = ACCENT if place == 0 else FAINT
            axes.plot(numbers, means, "o-", color=colour, ms=4, label=name)
            low, high = ([getattr(b.success, k) for b in bins] for k in ("low", "high"))
            axes.fill_between(numbers, low, high, color=colour, alpha=0.15, lw=0)
        axes.set_xticks(range(1, 11))
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("tenth of the answers, from the worst score to the best")
        axes.set_ylabel("success in simulation")
        axes.legend(frameon=False, loc="upper left")


def draw_estimates(
    estimates: Mapping[str, Estimate],
    label: str,
    path: Path,
    *,
    mark: float | None = None,
    before: Mapping[str, float] | None = None,
) -> None:
    """Draws estimates with their intervals, one below the other.

    Args:
        estimates: By name, the first on top.
        label: What they are of.
        path: The file.
        mark: A value to compare them with.
        before: Values to compare each with, by its name.
    """
    with _canvas(path, 0.7 + 0.27 * len(estimates)) as axes:
        names = list(estimates)[::-1]
        rows = [estimates[name] for name in names]
        means = [one.mean for one in rows]
        away = [
            [max(0.0, one.mean - one.low) for one in rows],
            [max(0.0, one.high - one.mean) for one in rows],
        ]
        for name, value in (before or {}).items():
            axes.plot(value, names.index(name), "o", mfc="white", mec=FAINT, ms=5)
        if mark is not None:
            axes.axvline(mark, color=FAINT, lw=1, ls="--")
        axes.errorbar(
            means, range(len(rows)), xerr=away, fmt="o", color=ACCENT, ms=5, lw=1.5
        )
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.grid(axis="x", color=FAINT, alpha=0.3, lw=0.6)
        axes.set_xlabel(label)


class _canvas:
    """Axes to draw on, saved when the block ends."""

    def __init__(self, path: Path, height: float) -> None:
        self.path, self.height = path, height

    def __enter__(self) -> Any:
        import matplotlib as mpl

        self._style = mpl.rc_context({"backend": "svg", **STYLE})
        self._style.__enter__()
        from matplotlib.figure import Figure

        self._figure = Figure(figsize=(WIDTH, self.height), layout="constrained")
        return self._figure.subplots()

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._figure.savefig(
                self.path, format="svg", metadata={"Date": None}, facecolor="white"
            )
        self._style.__exit__(*error)
