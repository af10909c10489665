"""The page's part on a question that compares ways of training, or of asking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from policy.evaluation.statistics import Estimate
from policy.study.charts import draw_estimates
from policy.study.contrasts import (
    Variant,
    clip,
    compare_variants,
    estimate_success,
    keep_known,
    keep_scenes,
    read_variants,
)
from policy.study.plan import MEASURES, Contrast, Question
from policy.study.tables import spell, spell_gain, tabulate

LITTLE = 0.2  # success below which what was learned tells hardly anything apart


def tell_variants(
    question: Question, rows: Sequence[Mapping[str, Any]], folder: Path
) -> str:
    """Draws the figure of a question and returns its text."""
    order, shown = list(question.plain["runs"]), keep_scenes(rows, question.shown)
    found = read_variants(shown)
    variants = {name: found[name] for name in order if name in found}
    known = [c for c in question.contrasts if {c.of, c.than} <= variants.keys()]
    measures = dict.fromkeys(["success", *(c.by for c in known)])
    by = {name: read_variants(shown, name) for name in measures}
    answers = [_tell_known(contrast, rows) for contrast in known]
    parts = [f"**{answers[0]}**\n"] if answers else []
    parts += [question.about + "\n", *(f"- {words}" for words in answers[1:])]
    parts += _warn(variants.values())
    main = known[0].by if known else "success"
    drawn = {name: by[main][name] for name in variants}
    parts += ["", _draw(drawn, MEASURES[main][1], folder / f"{question.name}.svg")]
    parts += [_tabulate(variants, by) + "\n"]
    if len(kinds := _list_kinds(rows)) > 1:
        parts += [_tabulate_kinds(rows, list(variants), kinds) + "\n"]
    return "\n".join(parts)


def _draw(variants: Mapping[str, Variant], what: str, path: Path) -> str:
    """Draws what is measured of each run; returns the figure's line of the page."""
    found = {name: estimate_success(one) for name, one in variants.items()}
    first = next(iter(found))
    label = f"{what}, on held-out scenes; 95 % intervals; dashed: {first}"
    draw_estimates(found, label, path, mark=found[first].mean)
    return f"![Of each run: {what}]({path.name})\n"


def _warn(variants: Iterable[Variant]) -> list[str]:
    """A line where no run learned enough for a difference to show."""
    best = max(estimate_success(one).mean for one in variants)
    if best >= LITTLE:
        return []
    words = f"No run comes above {best:.2f} success: so little was learned that"
    return ["", f"{words} success tells hardly anything apart."]


def _tell_known(contrast: Contrast, rows: Sequence[Mapping[str, Any]]) -> str:
    found = read_variants(keep_scenes(rows, contrast.scene), contrast.by)
    return tell_contrast(contrast, found[contrast.of], found[contrast.than])


def tell_contrast(contrast: Contrast, first: Variant, second: Variant) -> str:
    """Returns what one way gains over another, in a sentence."""
    first, second = keep_known(first, second)
    gain = compare_variants(first, second)
    means = f"{first.solved.mean():.2f} against {second.solved.mean():.2f}"
    size = f"{first.scenes} scenes, {_count_seeds(first, second)}"
    what = MEASURES[contrast.by][1]
    if contrast.adds:
        gain = clip(gain, 0.0)
        return f"{contrast.says} adds {spell_gain(gain)} to {what}: {means} ({size})."
    if gain.low > 0 or gain.high < 0:
        # Trainings differ by themselves: one of each is no rule.
        words = ("raises", "lowers")
        if min(_list_seeds(first, second), default=0) == 1:
            words = ("raised", "lowered")
        word, much = words[gain.high < 0], _spell_size(gain)
        return f"{contrast.says} {word} {what} by {much}: {means} ({size})."
    words = f"{contrast.says} makes no difference to {what} that these runs could show"
    follows = f" {contrast.alike}" if contrast.alike else ""
    return f"{words}: {spell_gain(gain, '+')}, {means} ({size}).{follows}"


def _spell_size(gain: Estimate) -> str:
    """How much is gained or lost, without a sign."""
    if gain.high < 0:
        gain = Estimate(mean=-gain.mean, low=-gain.high, high=-gain.low)
    return spell_gain(gain)


def _count_seeds(first: Variant, second: Variant) -> str:
    seeds = _list_seeds(first, second)
    if not seeds:
        return "nothing was trained"
    if max(seeds) == 1:
        return "1 seed, so the interval is of scenes alone"
    few, many = seeds[0], seeds[-1]
    count = f"{few} and {many} seeds" if few < many else f"{few} seeds"
    return f"{count}, the one's interval of scenes alone" if few == 1 else count


def _list_seeds(*variants: Variant) -> list[int]:
    """How many trainings there are of those that were trained, the fewest first."""
    return sorted(one.seeds for one in variants if one.trained)


def _tabulate(
    variants: Mapping[str, Variant], by: Mapping[str, Mapping[str, Variant]]
) -> str:
    """A row a run; `by` has the runs again for each measure that is compared."""
    head = ["run", "seeds", "success", "IoU, %", "average error", "parse rate"]
    others = [name for name in by if name != "success"]
    head += [f"{name} right" for name in others]
    physical = any(not isnan(one.smoothness) for one in variants.values())
    head += ["smooth", "gentle"] if physical else []
    rows = []
    for name, one in variants.items():
        seeds = str(one.seeds) if one.trained else "-"
        row = [name, seeds, spell(estimate_success(one))]
        digits = {"iou": 1, "average": 1, "parse_rate": 3}
        row += [f"{one.figures[k]:.{d}f}" for k, d in digits.items()]
        row += [spell(estimate_success(by[other][name])) for other in others]
        row += [_spell_end(one.smoothness), _spell_end(one.contact_force)] * physical
        rows.append(row)
    return tabulate(head, rows)


def _spell_end(value: float) -> str:
    return "-" if isnan(value) else f"{value:.3f}"


def _list_kinds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(k for row in rows for k in row["found"]["figures"]))


def _tabulate_kinds(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], kinds: Sequence[str]
) -> str:
    """Success by kind of scene and split, a column a run."""
    cells = []
    for kind in kinds:
        line = [kind.replace("/", ", ")]
        for name in names:
            own = [r["found"]["figures"] for r in rows if r["run"]["name"] == name]
            line.append(f"{np.mean([one[kind]['success'] for one in own]):.2f}")
        cells.append(line)
    return tabulate(["scenes", *names], cells)
