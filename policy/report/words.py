"""A run in one sentence, and what tells several apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from policy.report.run import Row, Run

# What an evaluation is called where it is compared.
WHEN = {
    "before": "before training",
    "after": "after training",
    "played": "in the playground",
}
# Where and how, but not what: two runs differ in it, whatever they learn.
INCIDENTAL = ("run_dir", "resume", "videos", "checkpoint_every", "camera.", "hydra.")


def name_scene(run: Run) -> str:
    """Which kinds of scenes a run learns."""
    name = run.get("env.name")
    if name is None:
        return ", ".join(
            sorted({r["env"] for v in run.evaluations.values() for r in v})
        )
    if name != "all":
        return name
    without = run.get("env.without", [])
    some = ", ".join(run.get("env.only", [])) or "all scenes"
    return some + (f" but {', '.join(without)}" if without else "")


def describe_run(run: Run) -> str:
    """What was trained on what, and how long it took."""
    if not run.config:
        return f"Attempts at {name_scene(run)}."
    policy = Path(str(run.get("policy.path", "policy"))).name
    done = run.metrics[-1]["step"] if run.metrics else 0
    steps, seconds = run.get("steps", done), tell_time(run.seconds)
    length = (
        f"{done} of {steps} steps in {seconds} so far"
        if run.going
        else f"{done} steps in {seconds}"
    )
    verb = "learns" if run.going else "learned"
    return (
        f"{policy}{_tell_part(run)} {verb} {name_scene(run)}, split "
        f"“{run.get('split')}”{_tell_shifts(run)}, by the reward "
        f"“{run.get('reward.name')}”: {length}, each of "
        f"{run.get('rollout.prompts')} scenes × "
        f"{run.get('rollout.num_generations')} answers; seed {run.get('seed')}."
    )


def tell_time(seconds: float) -> str:
    """Seconds as people say them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def flatten(content: Row, under: str = "") -> dict[str, Any]:
    """Nested settings by keys with dots."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict) and value:
            found |= flatten(value, f"{under}{key}.")
        else:
            found[f"{under}{key}"] = value
    return found


def list_differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Returns the settings in which runs differ, one value a run."""
    settings = [flatten(run.config) for run in runs]
    keys = dict.fromkeys(key for each in settings for key in each)
    values = {key: [each.get(key) for each in settings] for key in keys}
    return {
        key: row
        for key, row in values.items()
        if any(value != row[0] for value in row) and not key.startswith(INCIDENTAL)
    }


def _tell_part(run: Run) -> str:
    lora = run.get("policy.lora")
    return f" with adapters of rank {lora['rank']}" if lora else ""


def _tell_shifts(run: Run) -> str:
    shifts = run.get("shifts", [])
    return f" ({', '.join(shifts)} shifted)" if shifts else ""
