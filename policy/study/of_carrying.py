"""The page's part on scenes that no policy was trained on: how far each carries there.

A run's name is that of its column, and what it is of behind a comma: "adapted, ur5e".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from policy.study.charts import draw_estimates
from policy.study.contrasts import Variant, estimate_success, read_variants
from policy.study.of_variants import tell_contrast
from policy.study.plan import Contrast, Question
from policy.study.tables import spell, tabulate

START, END = "tiny", "adapted"
NEVER, OFTEN, LEARNED = 0.05, 0.8, 0.5  # success that tells a scene's story
Scenes = Mapping[str, Mapping[str, Variant]]
"""By scene and column, what was measured."""


def tell_carrying(
    question: Question, rows: Sequence[Mapping[str, Any]], folder: Path
) -> str:
    """Draws the figure of a question and returns its text."""
    scenes = read_scenes(rows)
    adapted = {name: own for name, own in scenes.items() if {START, END} <= {*own}}
    parts = [f"**{_tell_gain(adapted)}**\n"] if adapted else []
    parts += [question.about + "\n"]
    if adapted:
        figure = f"{question.name}.svg"
        draw_estimates(
            {name: estimate_success(own[END]) for name, own in adapted.items()},
            f"success after practice; hollow: {START}, before it",
            folder / figure,
            before={n: estimate_success(own[START]).mean for n, own in adapted.items()},
        )
        parts += [f"![Success in each scene, before and after]({figure})\n"]
    return "\n".join([*parts, _tabulate(scenes) + "\n"])


def read_scenes(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Variant]]:
    """Returns finished runs by the scene that they measured, then by their column."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        for name, part in _split(row):
            found.setdefault(name, []).append(part)
    return {name: read_variants(own) for name, own in found.items()}


def _split(row: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A row for each scene that a run measured, under the scene's name."""
    robot = row["run"]["exam"].get("robot")
    column = row["run"]["name"].partition(",")[0]
    for kind, figures in row["found"]["figures"].items():
        env = kind.partition("/")[0]
        run = row["run"] | {"name": column}
        name = f"{env}, {robot}" if robot else env
        yield name, {"run": run, "found": {"figures": {kind: figures}}}


def _tell_gain(scenes: Scenes) -> str:
    """What practice gains in all scenes, and in how many it is enough."""
    says = "Practising a new scene for some minutes, on outcomes alone,"
    columns = ([own[key] for own in scenes.values()] for key in (START, END))
    before, after = map(_join, columns)
    gain = tell_contrast(Contrast(of=END, than=START, says=says), after, before)
    ends = [
        [estimate_success(own[key]).mean for key in (START, END)]
        for own in scenes.values()
    ]
    known = [end for start, end in ends if start > NEVER]
    unknown = [end for start, end in ends if start <= NEVER]
    words = f"Of {len(known)} scenes that start above {NEVER}, "
    words += f"{sum(end >= OFTEN for end in known)} come to {OFTEN} or more"
    if unknown:
        words += f"; of {len(unknown)} that start lower, "
        words += f"{sum(end > LEARNED for end in unknown)} come above {LEARNED}"
    return f"{gain} {words}."


def _join(variants: Sequence[Variant]) -> Variant:
    """Several scenes as one, with as many trainings as there are of each."""
    seeds = min(one.seeds for one in variants)
    solved = np.concatenate([one.solved[:seeds] for one in variants], axis=1)
    return replace(variants[0], solved=solved)


def _tabulate(scenes: Scenes) -> str:
    columns = list(dict.fromkeys(key for own in scenes.values() for key in own))
    rows = [
        [name, *(_spell(own.get(key)) for key in columns)]
        for name, own in scenes.items()
    ]
    return tabulate(["scene", *columns], rows)


def _spell(variant: Variant | None) -> str:
    return spell(estimate_success(variant)) if variant else "-"
