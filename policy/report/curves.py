"""Curves over the steps, as plotly draws them: plain data, of which a page is made.

Colours are names of the page's style, `var(--...)`, so that one figure serves light
and dark. Raw values stand faintly behind what is smoothed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from policy.report.run import Row, Run
from rewards import TERMS

# Share of the old in a smoothed value, as on the screen of a training.
SMOOTHING = 0.9
COLOURS = 6  # of lines, `--line-0` and on; more lines start again
STAGES = ("scenes", "sample", "simulate", "judge", "compare", "update")
LEARNING = ("filtered", "kl", "grad_norm", "surprise", "loss", "clip_fraction")
READING = ("parse_rate", "cut_off", "tokens")
WORDS = {
    "affordance": "affordance (box IoU)",
    "path_frechet": "path, Fréchet",
    "path_hausdorff": "path, Hausdorff",
    "path_rmse": "path, RMSE",
    "endpoint": "end point",
    "contact_force": "gentle contact",
    "parse_rate": "answers that parse",
    "cut_off": "answers cut off",
    "tokens": "tokens an answer",
    "filtered": "groups without a signal",
    "kl": "KL to the reference",
    "clip_fraction": "clipped tokens",
    "grad_norm": "gradient norm",
    "surprise": "surprise a token",
    "peak_gib": "peak memory [GiB]",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One plot.

    Attributes:
        title: What it shows.
        data: Plotly's traces.
        layout: Plotly's layout, beside what the page adds to all.
        wide: Whether it takes the whole width.
    """

    title: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartGroup:
    """Plots that belong together."""

    title: str
    charts: list[Chart]


def smooth(values: Sequence[float | None]) -> list[float | None]:
    """An exponential average that starts unbiased; a missing value stays missing."""
    total, weight, smoothed = 0.0, 0.0, []
    for value in values:
        if value is None:
            smoothed.append(None)
            continue
        total = SMOOTHING * total + (1 - SMOOTHING) * value
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        smoothed.append(total / weight)
    return smoothed


def draw_curves(runs: Sequence[Run]) -> list[ChartGroup]:
    """Returns the plots of one run, or of several in the same plots."""
    scenes = _list_keys(runs, "success/")
    groups = {
        "Reward": ["reward", "success"],
        "Terms of the reward": [term for term in TERMS if term != "success"],
        "Success by scene, while training": scenes,
        "Answers": [*READING],
        "Learning": [*LEARNING],
    }
    drawn = [
        ChartGroup(title=title, charts=_draw_keys(runs, keys))
        for title, keys in groups.items()
    ]
    drawn.append(ChartGroup(title="Time and memory", charts=_draw_costs(runs)))
    return [group for group in drawn if group.charts]


def _list_keys(runs: Sequence[Run], start: str) -> list[str]:
    rows = [row for run in runs for row in run.metrics]
    return sorted({key for row in rows for key in row if key.startswith(start)})


def _draw_keys(runs: Sequence[Run], keys: Sequence[str]) -> list[Chart]:
    charts = [_draw(runs, key) for key in keys]
    return [chart for chart in charts if chart is not None]


def _draw(runs: Sequence[Run], key: str) -> Chart | None:
    """A plot of one number; None where no run has any of it."""
    lines = [(i, run, _read(run.metrics, key)) for i, run in enumerate(runs)]
    if not any(value for _, _, values in lines for value in values):
        return None
    data = [
        trace
        for i, run, values in lines
        for trace in _draw_line(run, values, f"var(--line-{i % COLOURS})")
    ]
    if key == "success":
        data += _draw_held_out(runs)
    title = WORDS.get(key, key.removeprefix("success/").replace("_", " "))
    fixed = {"range": [-0.02, 1.02]} if _is_share(key) else {"rangemode": "tozero"}
    return Chart(title=title, data=data, layout={"yaxis": fixed})


def _is_share(key: str) -> bool:
    return key in (*TERMS, "reward", "parse_rate") or key.startswith("success/")


def _read(rows: Sequence[Row], key: str) -> list[float | None]:
    return [
        row["timing"].get(key) if key == "peak_gib" else row.get(key) for row in rows
    ]


def _draw_line(
    run: Run, values: Sequence[float | None], colour: str
) -> list[dict[str, Any]]:
    """The raw values, and over them the smoothed ones, which hovering tells."""
    steps = [row["step"] for row in run.metrics]
    raw = [_round(value) for value in values]
    line = {"type": "scatter", "mode": "lines", "x": steps, "name": run.name}
    faint = {"color": colour, "width": 1}
    return [
        line | {"y": raw, "line": faint, "opacity": 0.3, "hoverinfo": "skip"},
        line
        | {
            "y": [_round(value) for value in smooth(values)],
            "customdata": raw,
            "line": {"color": colour, "width": 2},
            "hovertemplate": "%{y:.4g} (raw %{customdata:.4g})<extra>%{fullData.name}"
            "</extra>",
        },
    ]


def _draw_held_out(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Success on held-out scenes before and after, with its interval."""
    drawn = []
    for i, run in enumerate(runs):
        last = run.metrics[-1]["step"] if run.metrics else 0
        ends = {"before": 0, "after": last}
        known = [w for w in ends if "success" in run.figures.get(w, {})]
        rows = [run.figures[when] for when in known]
        bounds = [row["intervals"]["success"] for row in rows]
        means = [row["success"] for row in rows]
        drawn.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "held out",
                "x": [ends[when] for when in known],
                "y": means,
                "error_y": {
                    "array": [high - m for (_, high), m in zip(bounds, means)],
                    "arrayminus": [m - low for (low, _), m in zip(bounds, means)],
                    "color": f"var(--line-{i % COLOURS})",
                    "thickness": 1.5,
                },
                "marker": {"color": f"var(--line-{i % COLOURS})", "size": 9},
                "hovertemplate": "%{y:.3f} of held-out scenes<extra></extra>",
            }
        )
    return drawn


def _draw_costs(runs: Sequence[Run]) -> list[Chart]:
    memory = _draw_keys(runs, ["peak_gib"])
    if len(runs) > 1:
        return _draw_step_times(runs) + memory
    rows = runs[0].metrics
    if not rows:
        return []
    stages = [
        {
            "type": "scatter",
            "mode": "lines",
            "stackgroup": "seconds",
            "name": stage,
            "x": [row["step"] for row in rows],
            "y": [_round(row["timing"].get(f"{stage}_s")) for row in rows],
            "line": {"width": 0.5, "color": f"var(--line-{i})"},
            "hovertemplate": "%{y:.2f} s<extra>%{fullData.name}</extra>",
        }
        for i, stage in enumerate(STAGES)
    ]
    layout = {"showlegend": True, "hovermode": "x unified"}
    chart = Chart(
        title="seconds a step, by stage", data=stages, layout=layout, wide=True
    )
    return [chart, *memory]


def _draw_step_times(runs: Sequence[Run]) -> list[Chart]:
    data = [
        trace
        for i, run in enumerate(runs)
        for trace in _draw_line(
            run,
            [row["timing"]["step_s"] for row in run.metrics],
            f"var(--line-{i % COLOURS})",
        )
    ]
    layout = {"yaxis": {"rangemode": "tozero"}}
    return [Chart(title="seconds a step", data=data, layout=layout)]


def _round(value: float | None) -> float | None:
    """Six digits are more than any plot shows, and halve a page."""
    return None if value is None else float(f"{value:.6g}")
