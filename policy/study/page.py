"""The page: each question with its answer in a sentence, a figure and tables.

All of it is made from the rows of the ledger. Questions without rows are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from policy.study.ledger import Ledger
from policy.study.of_carrying import tell_carrying
from policy.study.of_geometry import tell_prediction
from policy.study.of_variants import tell_variants
from policy.study.plan import QUESTIONS, Question, load_questions

PAGE = "README.md"
HEAD = """\
# What geometry, outcomes and choices are worth

The paper that Graspo starts from rewards boxes and paths for being near a person's, and
never carries them out. Graspo carries out every answer. So it can ask what the paper
could not: whether near is enough, which reward to train on, and what the rest of the
recipe is worth.

Everything here is made by `python scripts/study.py` from the rows beside this page, a
line of JSON for each finished run; `only=<name>` does those of a question's runs that
are missing. Brackets hold 95 % intervals. Scenes are those of the frozen
suite ([assets/suite.json](../suite.json)), on which nothing is trained: `test` has new
scenes of the kinds that the policy knows, `ood` has every factor shifted. The policy is
the default one, 5.6 million parameters. Questions that take other scenes or policies
say so; what holds for a small model need not hold for a large one. `budget=small` has
few steps, scenes and seeds: it shows large effects alone.
"""

Teller = Callable[[Question, Sequence[Mapping[str, Any]], Path], str]
"""Writes a question's figures into a folder and returns its text."""

TELLERS: Mapping[str, Teller] = {"geometry": tell_prediction, "carry": tell_carrying}


def write_page(ledger: Ledger) -> Path:
    """Writes the page and its figures beside the rows; returns the page."""
    parts = [HEAD]
    for question in load_questions():
        budget, rows = ledger.choose(question)
        if rows:
            tell = TELLERS.get(question.name, tell_variants)
            title = f"## {QUESTIONS[question.name]}. {question.title}\n"
            made = f"`only={question.name} budget={budget}`: {_describe(rows)}"
            parts += [title, tell(question, rows, ledger.folder), made]
    page = ledger.folder / PAGE
    page.write_text("\n".join(parts) + "\n", "utf-8")
    return page


def _describe(rows: Sequence[Mapping[str, Any]]) -> str:
    seeds = len({row["run"]["seed"] for row in rows})
    hours = sum(row["seconds"] for row in rows) / 3600
    machines = {row["machine"].get("processor", "?") for row in rows}
    name = rows[0]["run"]["question"]
    return (
        f"{len(rows)} runs, {seeds} seed{'s' if seeds > 1 else ''}, {hours:.1f} hours "
        f"on {', '.join(sorted(machines))}; rows: [{name}.jsonl]({name}.jsonl)\n"
    )
