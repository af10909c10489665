"""A run directory, read: whatever of its files are there.

A run that is still going, one of an earlier version and the attempts of a playground
have fewer files than a finished run; the report shows what there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy.report.kinds import (
    find_config_mistake,
    find_figures_mistake,
    find_step_mistake,
    find_summary_mistake,
    look_up,
)
from policy.rollout.log import read_answers, read_rows
from policy.runtime.stored import read_json, read_yaml

Row = dict[str, Any]
HELD_OUT = ("before", "after")  # evaluations of a run, in this order
PLAYED = "played"  # what the playground has saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run has left so far.

    Attributes:
        path: Its directory.
        config: What was asked for; empty where there is no config.yaml.
        metrics: One row a step.
        evaluations: Name to the rows of its answers to held-out scenes, "before" first.
            What was "after" its end is not, once it goes on for more steps. Of a
            playground's directory, which is no run, "played" alone.
        played: The rows of what was tried in the playground and saved beside a run's.
        figures: Name to the figures of an evaluation, as in summary.json.
        summary: What a finished run says of itself; empty before.
        manifest: How it was made; empty where that is not recorded.
    """

    path: Path
    config: Row
    metrics: list[Row]
    evaluations: dict[str, list[Row]]
    played: list[Row]
    figures: dict[str, Row]
    summary: Row
    manifest: Row

    @property
    def name(self) -> str:
        """Its directory and the one above: runs are called <env>/<time>."""
        return "/".join(self.path.resolve().parts[-2:])

    @property
    def going(self) -> bool:
        """Whether it has steps left, as far as its files say."""
        return bool(self.config) and not self.summary

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        if self.summary:
            return float(self.summary["seconds"])
        return float(self.metrics[-1]["timing"]["elapsed_s"]) if self.metrics else 0.0

    def get(self, key: str, default: Any = None) -> Any:
        """Returns what the configuration says at a key with dots, e.g. `algo.beta`."""
        value = look_up(self.config, key)
        return default if value is None else value


def read_run(path: Path) -> Run:
    """Reads a run directory.

    Raises:
        FileNotFoundError: It has neither a configuration nor evaluations.
        ValueError: A file is damaged; it is named.
    """
    evaluations = _read_evaluations(path / "evaluations")
    config = _read(path / "config.yaml", read_yaml, find_config_mistake)
    if not config and not evaluations:
        raise FileNotFoundError(
            f"run_dir={path}: neither config.yaml nor evaluations/ there, so it is not "
            "a run directory"
        )
    played = _take_played(evaluations, config)
    summary = _read(path / "summary.json", read_json, find_summary_mistake)
    if summary.get("steps", 0) < (config.get("steps") or 0):  # it was done, and goes on
        summary = {}
        evaluations.pop("after", None)
    before = _read(path / "before.json", read_json, find_figures_mistake)
    figures = {"before": before} | {
        name: summary[name] for name in HELD_OUT if name in summary
    }
    return Run(
        path=path,
        config=config,
        metrics=_read_metrics(path / "metrics.jsonl"),
        evaluations=evaluations,
        played=played,
        figures={name: row for name, row in figures.items() if row.get("n")},
        summary=summary,
        manifest=_read(path / "manifest.json", read_json, lambda _: ""),
    )


def _read_evaluations(folder: Path) -> dict[str, list[Row]]:
    names = (*HELD_OUT, PLAYED)
    found = {name: read_answers(folder / f"{name}.jsonl") for name in names}
    return {name: rows for name, rows in found.items() if rows}


def _take_played(evaluations: dict[str, list[Row]], config: Row) -> list[Row]:
    """Takes out what was played beside a run; where there is no run, it stays."""
    alone = not config and evaluations.keys() == {PLAYED}
    return [] if alone else evaluations.pop(PLAYED, [])


def _read_metrics(path: Path) -> list[Row]:
    rows = read_rows(path)
    for number, row in enumerate(rows, start=1):
        if mistake := find_step_mistake(row):
            raise ValueError(f"{path}, line {number} is no step: {mistake}")
    return rows


def _read(
    path: Path, read: Callable[[Path], Row], find_mistake: Callable[[Row], str]
) -> Row:
    """What a file holds, nothing if it is not there."""
    if not path.exists():
        return {}
    content = read(path)
    if mistake := find_mistake(content):
        raise ValueError(f"{path} is damaged: {mistake}")
    return content
