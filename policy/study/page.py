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
from policy.study.plan import QUESTIONS, Question, Run, load_questions

PAGE = "README.md"
HEAD = """\
# What geometry, outcomes and choices are worth

The paper that Graspo starts from rewards boxes and paths for being near a person's, and
never carries them out. Graspo carries out every answer. So it can ask what the paper
could not: whether near is enough, which reward to train on, and what the rest of the
recipe is worth.

Everything here is made from the rows beside this page, a line of JSON for each finished
run. `python scripts/study.py only=joint budget=full out=assets/results` does what is
missing of a question's runs and writes the page again. Scenes are those of the frozen
suite ([assets/suite.json](../suite.json)), on which nothing is trained: `test` has new
scenes of the kinds that the policy knows, `ood` has every factor shifted. The policy is
the default one, 5.6 million parameters. Questions that take other scenes or policies
say so; what holds for a small model need not hold for a large one. `budget=small` has
fewer steps, and some questions fewer scenes and seeds: it shows large effects alone.

- Brackets hold 95 % intervals. Those of trainings are for other scenes and other seeds:
  both parts of the variance are estimated, so that a few trainings that scatter make
  them wide. Those of one training, and of answers (question 1), are for other scenes.
- Comparisons are made scene by scene and tell more than two intervals side by side.
- "No difference that these runs could show" says that the interval holds 0, not that
  there is no difference. Of twenty comparisons where nothing differs, one is expected
  to show a difference all the same; those with the same run err together.
- Runs of two questions with the same settings are the same trainings, and both
  questions have the seeds of either. Runs of the same seed on other processors, or of
  other code, need not be the same.
- "Average error" is the mean of the Fréchet, Hausdorff and RMSE distances of paths, in
  thousandths of the image. A box is right if its middle is in the reference's box.
- "Smooth" and "gentle" are 0 to 1, of the hand's way and of its contacts, and count as
  far as an answer got. They are means of the answers that were sampled in the last
  quarter of training.
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
            borrowed = ledger.borrow(rows)
            tell = TELLERS.get(question.name, tell_variants)
            title = f"## {QUESTIONS[question.name]}. {question.title}\n"
            asked = question.list_runs(budget)
            made = f"`only={question.name} budget={budget}`: {_describe(rows, asked)}"
            told = tell(question, [*rows, *borrowed], ledger.folder)
            parts += [title, told, made]
    page = ledger.folder / PAGE
    page.write_text("\n".join(parts) + "\n", "utf-8")
    return page


def _describe(rows: Sequence[Mapping[str, Any]], asked: Sequence[Run]) -> str:
    """Says what was done of the runs that a question asks for, how long and on what."""
    done = [row["run"] for row in rows]
    missing = sum(run.to_plain() not in done for run in asked)
    runs = f"{len(rows)} runs"
    if missing:
        runs = f"{len(rows)} of {len(rows) + missing} runs (the rest has not been done)"
    seeds = len({row["run"]["seed"] for row in rows})
    hours = sum(row["seconds"] for row in rows) / 3600
    machines = {row["machine"].get("processor", "?") for row in rows}
    commits = sorted({row["commit"][:7] for row in rows if row["commit"]})
    name = rows[0]["run"]["question"]
    return (
        f"{runs}, {seeds} seed{'s' if seeds > 1 else ''}, {hours:.1f} hours "
        f"on {', '.join(sorted(machines))}, commit{'s' if len(commits) > 1 else ''} "
        f"{', '.join(commits) or '?'}; rows: [{name}.jsonl]({name}.jsonl)\n"
    )
