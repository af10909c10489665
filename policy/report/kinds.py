"""What the files of a run may hold: they may be a stranger's, or of a damaged disk.

Only what a report computes with is asked for; the rest it shows as the text it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policy.evaluation.figures import DISTANCES, RATES
from policy.rollout.rows import NUMBER, NUMBERS, TEXT, Kind, find_misfit, of_numbers

FIGURE_NAMES = (*RATES, "iou", *DISTANCES)
TIMES = {"elapsed_s", "step_s"}  # those of a step that a report cannot do without
COUNT = Kind(
    "a whole number from 0 on",
    lambda value: type(value) is int and value >= 0 and NUMBER.fits(value),
)
NAMES = Kind(
    "a list of texts",
    lambda value: isinstance(value, list) and all(map(TEXT.fits, value)),
)
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
TIMING = Kind(
    f"{NUMBERS.words}, {' and '.join(sorted(TIMES))} among them",
    lambda value: NUMBERS.fits(value) and value.keys() >= TIMES,
)
LORA = Kind(
    "an object with a rank", lambda value: OBJECT.fits(value) and "rank" in value
)
CONFIG = {
    "env.only": NAMES.or_null(),
    "env.without": NAMES.or_null(),
    "policy.lora": LORA.or_null(),
    "steps": COUNT.or_null(),
    "shifts": NAMES.or_null(),
}
STEP = {"step": COUNT, "timing": TIMING}
SUMMARY = {"steps": COUNT, "seconds": NUMBER}
MEASURED = {"before": OBJECT, "after": OBJECT}


def look_up(config: Mapping[str, Any], key: str) -> Any:
    """Returns what a configuration says at a key with dots; None if nothing."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def find_config_mistake(config: dict[str, Any]) -> str:
    """Returns why config.yaml is of no run, "" if it is."""
    return find_misfit({key: look_up(config, key) for key in CONFIG}, CONFIG, {})


def find_step_mistake(row: dict[str, Any]) -> str:
    """Returns why a line of metrics.jsonl is of no step, "" if it is.

    All but the times are means, and null where a step that failed has none.
    """
    means = [name for name in row if name not in STEP]
    return find_misfit(row, STEP, dict.fromkeys(means, NUMBER.or_null()))


def find_figures_mistake(row: dict[str, Any]) -> str:
    """Returns why a row is none of an evaluation's figures, "" if it is."""
    names = [name for name in row if name.partition("/")[0] in FIGURE_NAMES]
    said = row.get("intervals")
    intervals = said if isinstance(said, dict) else {}
    bounds = {f"the interval of {name}": intervals.get(name) for name in names}
    kinds = {"n": COUNT, **dict.fromkeys(names, NUMBER)}
    return find_misfit(row | bounds, kinds, dict.fromkeys(bounds, of_numbers(2)))


def find_summary_mistake(summary: dict[str, Any]) -> str:
    """Returns why summary.json is of no run that is done, "" if it is."""
    if mistake := find_misfit(summary, SUMMARY, MEASURED):
        return mistake
    measured = {name: summary[name] for name in MEASURED if name in summary}
    found = {name: find_figures_mistake(row) for name, row in measured.items()}
    return next((f"{name}: {wrong}" for name, wrong in found.items() if wrong), "")
