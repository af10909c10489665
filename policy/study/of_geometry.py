"""The page's part on whether geometry predicts success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from policy.evaluation.statistics import Estimate
from policy.study.charts import draw_deciles, draw_estimates
from policy.study.plan import Question
from policy.study.prediction import (
    SCORES,
    Bin,
    Table,
    correlate,
    count_misled,
    cut_deciles,
    estimate_auc,
    estimate_auc_within,
    estimate_failure,
    read_answers,
    select,
)
from policy.study.tables import spell, tabulate

GOOD = 0.8  # of geometry: IoU 0.8 and a path within 16 thousandths of the image, say
RELEASED = "geometry, as released"
SHIFTED = "expert shifted by "
TERMS = (
    '"geometry" is the mean of the box\'s IoU and of "path", which weighs the three '
    'distances and the end point as the paper does; "box and end point" is the product '
    "of the two."
)
FEW = 10  # successes, and failures, of which an AUC says something


def tell_prediction(
    question: Question, rows: Sequence[Mapping[str, Any]], folder: Path
) -> str:
    """Draws the figures of the question and returns its text."""
    table = read_answers(rows)
    auc = {name: estimate_auc(table, name) for name in SCORES}
    deciles = {name: cut_deciles(table, name) for name in ("geometry", RELEASED)}
    draw_deciles(deciles, folder / "geometry_deciles.svg")
    label = "AUC of success against failure; 95 % intervals; dashed: a coin's"
    draw_estimates(auc, label, folder / "geometry_auc.svg", mark=0.5)
    count = len(np.unique(table["scene"]))
    return "\n".join(
        [
            f"**{_answer(table, auc['geometry'], deciles['geometry'])}**\n",
            question.about + "\n",
            f"There are {len(table['success']):,} answers to {count} scenes. {TERMS}\n",
            "![Success by tenths of the geometric reward](geometry_deciles.svg)\n",
            _tell_terms(table, auc) + "\n",
            "![AUC of each score](geometry_auc.svg)\n",
            _tabulate_parts(table, "env", "scene") + "\n",
            _tabulate_parts(table, "policy", "policy") + "\n",
            f"There is no AUC where fewer than {FEW} answers succeed, or fail.\n",
            _tell_size(table) + "\n",
            _tell_misled(table),
        ]
    )


def _answer(table: Table, auc: Estimate, deciles: Sequence[Bin]) -> str:
    first, last = (spell(one.success) for one in (deciles[0], deciles[-1]))
    return (
        f"Geometry tells success from failure with an AUC of {spell(auc)}: success is "
        f"{first} in the lowest tenth of geometric reward and {last} in the highest. "
        f"{_tell_good(table)}"
    )


def _tell_good(table: Table) -> str:
    """How many good answers fail, and in which scene most of them do."""
    good = select(table, table["geometry"] >= GOOD)
    if not len(good["success"]):
        return f"No answer is above {GOOD}."
    words = f"Of the answers above {GOOD}, {spell(estimate_failure(good))} fail"
    found = count_misled(table, GOOD)
    if not found:
        return f"{words}."
    (most, wrong, _), every = found[0], sum(times for _, times, _ in found)
    return f"{words}, {wrong} of these {every} in `{most}`."


def _tell_terms(table: Table, auc: Mapping[str, Estimate]) -> str:
    rows = [
        [
            *(n, spell(auc[n]), spell(estimate_auc_within(table, n))),
            f"{correlate(table, n):.2f}",
        ]
        for n in SCORES
    ]
    near, released = auc["geometry"], auc[RELEASED]
    words = (
        '"In one scene" compares answers to the same scene alone, as GRPO does. '
        "With the exponents of the released code, meant for distances in 0 to 1000, "
        f"the AUC is {spell(released)}; with those of `reward=paper`, which halve at a "
        f"twentieth of the image, it is {spell(near)}."
    )
    return (
        tabulate(["score", "AUC", "in one scene", "rank correlation"], rows)
        + "\n\n"
        + words
    )


def _tabulate_parts(table: Table, column: str, title: str) -> str:
    rows = []
    for name in dict.fromkeys(table[column].tolist()):
        part = select(table, table[column] == name)
        success = part["success"]
        few = _count_rarer(part) < FEW
        auc = "-" if few else spell(estimate_auc(part, "geometry"))
        rows.append([name, str(len(success)), f"{success.mean():.2f}", auc])
    return tabulate([title, "answers", "success", "AUC of geometry"], rows)


def _tell_size(table: Table) -> str:
    """What geometry is worth where all errors are of one size: a shifted plan's."""
    found = {}
    for kind in np.unique(table["policy"]):
        part = select(table, table["policy"] == kind)
        if kind.startswith(SHIFTED) and _count_rarer(part) >= FEW:
            found[kind.removeprefix(SHIFTED)] = estimate_auc(part, "geometry")
    if not found:
        return ""
    said = ", ".join(f"{spell(auc)} for {size}" for size, auc in found.items())
    return (
        "Where all points of the expert's plan are shifted by so much of the image, "
        "all four distances of the path are that much, and only the box's IoU can tell "
        f"the answers apart. The AUC of geometry is then {said}: it tells little of "
        "the direction in which an error matters."
    )


def _count_rarer(table: Table) -> int:
    """How many answers end in the way that fewer do."""
    solved = int(table["success"].sum())
    return min(solved, len(table["success"]) - solved)


def _tell_misled(table: Table) -> str:
    found = count_misled(table, GOOD)
    if not found:
        return f"No answer with a geometric reward above {GOOD} fails.\n"
    good = table["geometry"] >= GOOD
    rows = [
        [env, f"{n} of {int((good & (table['env'] == env)).sum())}", reason]
        for env, n, reason in found
    ]
    poor = int(((table["geometry"] < 1 - GOOD) & (table["success"] == 1)).sum())
    words = (
        f"Where it misleads: answers with a geometric reward above {GOOD} that fail, "
        f"and why most often. The other way round, {poor or 'no'} "
        f"answer{'' if poor == 1 else 's'} with a geometric reward below "
        f"{1 - GOOD:.1f} succeeded."
    )
    table_ = tabulate(["scene", "good answers that fail", "mostly because"], rows)
    return f"{words}\n\n{table_}\n"
