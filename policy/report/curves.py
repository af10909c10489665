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
OF_SOURCES = ("reward", "affordance", "endpoint", "parse_rate")
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
    """Plots that belong together.

    Attributes:
        title: What they are about.
        charts: The plots.
        idle: What is 0 in every step, and has no plot.
    """

    title: str
    charts: list[Chart]
    idle: list[str]


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
    sources = [k for name in OF_SOURCES for k in _list_keys(runs, f"{name}/")]
    groups = [
        _draw_group(runs, "Success", ["success", "reward"], wide=True),
        _draw_group(runs, "Terms of the reward", [t for t in TERMS if t != "success"]),
        _draw_group(runs, "Success by scene, while training", scenes),
        _draw_group(runs, "Images and scenes, while training", sources),
        _draw_group(runs, "Answers and learning", [*READING, *LEARNING]),
        ChartGroup(title="Time and memory", charts=_draw_costs(runs), idle=[]),
    ]
    return [group for group in groups if group.charts]


def _draw_group(
    runs: Sequence[Run], title: str, keys: Sequence[str], wide: bool = False
) -> ChartGroup:
    known = [
        key
        for key in keys
        if any(value is not None for run in runs for value in _read(run.metrics, key))
    ]
    charts = {key: _draw(runs, key, wide) for key in known}
    return ChartGroup(
        title=title,
        charts=[chart for chart in charts.values() if chart is not None],
        idle=[_name(key) for key, chart in charts.items() if chart is None],
    )


def _list_keys(runs: Sequence[Run], start: str) -> list[str]:
    rows = [row for run in runs for row in run.metrics]
    return sorted({key for row in rows for key in row if key.startswith(start)})


def _draw(runs: Sequence[Run], key: str, wide: bool = False) -> Chart | None:
    """A plot of one number; None where it is 0 in every step of all runs."""
    lines = [(i, run, _read(run.metrics, key)) for i, run in enumerate(runs)]
    if not any(value for _, _, values in lines for value in values):
        return None
    data = [
        trace
        for i, run, values in lines
        for trace in _draw_line(run, values, _pick_colour(i))
    ]
    if key == "success":
        data += _draw_held_out(runs)
    fixed = {"range": [-0.02, 1.02]} if _is_share(key) else {"rangemode": "tozero"}
    layout = {"xaxis": _span(runs), "yaxis": fixed}
    return Chart(title=_name(key), data=data, layout=layout, wide=wide)


def _span(runs: Sequence[Run]) -> dict[str, Any]:
    """From 0 to the last step, with room for the dots at the ends."""
    last = max((run.metrics[-1]["step"] for run in runs if run.metrics), default=1)
    return {"range": [-0.03 * last, 1.03 * last]}


def _name(key: str) -> str:
    name, _, source = key.removeprefix("success/").partition("/")
    words = WORDS.get(name, name.replace("_", " "))
    return f"{words}, {source.replace('_', ' ')}" if source else words


def _is_share(key: str) -> bool:
    return key.partition("/")[0] in (*TERMS, "reward", "parse_rate")


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
                    "color": _pick_colour(i),
                    "thickness": 1.5,
                },
                "marker": {"color": _pick_colour(i), "size": 9},
                "hovertemplate": "%{y:.3f} of held-out scenes<extra></extra>",
            }
        )
    return drawn


def _draw_costs(runs: Sequence[Run]) -> list[Chart]:
    memory = _draw_group(runs, "", ["peak_gib"]).charts
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
            "line": {"width": 0.5, "color": _pick_colour(i)},
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
            _pick_colour(i),
        )
    ]
    layout = {"yaxis": {"rangemode": "tozero"}}
    return [Chart(title="seconds a step", data=data, layout=layout)]


def _pick_colour(place: int) -> str:
    return f"var(--line-{place % COLOURS})"


def _round(value: float | None) -> float | None:
    """Six digits are more than any plot shows, and halve a page."""
    return None if value is None else float(f"{value:.6g}")
