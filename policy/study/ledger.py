"""What has been found, on disk: one line of JSON for each finished run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from policy.home import HOME
from policy.rollout.log import read_rows
from policy.runtime.machine import describe_machine
from policy.runtime.manifest import read_commit
from policy.runtime.whole import replace_text
from policy.study.plan import BUDGETS, QUESTIONS, Question, Run

MACHINE = ("processor", "cores", "torch", "mujoco")
Row = Mapping[str, Any]
"""A finished run: its settings, when, by what code and where, and what was found."""


class Ledger:
    """The rows of all questions in a folder, a file a question.

    Args:
        folder: Made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, question: str) -> Sequence[Row]:
        """Returns the rows of a question."""
        return read_rows(self._path(question))

    def has(self, run: Run) -> bool:
        """Whether a run with exactly these settings is done."""
        return any(row["run"] == run.to_plain() for row in self.read(run.question))

    def add(self, run: Run, seconds: float, found: Mapping[str, Any]) -> None:
        """Adds a finished run; the file is there whole, with it or without it.

        Args:
            run: What was done.
            seconds: How long it took.
            found: What came of it, plain data.
        """
        machine = describe_machine()
        row = {
            "run": run.to_plain(),
            "date": datetime.now().astimezone().isoformat(timespec="seconds"),
            "commit": read_commit(HOME)[0],
            "machine": {k: machine[k] for k in MACHINE if k in machine},
            "seconds": round(seconds, 1),
            "found": found,
        }
        path = self._path(run.question)
        old = path.read_text("utf-8") if path.exists() else ""
        replace_text(path, f"{old}{json.dumps(row)}\n")

    def choose(self, question: Question) -> tuple[str, list[Row]]:
        """Returns a budget of a question and its rows: the largest that answers it.

        Rows of settings that the question no longer has are left out.
        """
        found = {b: self._list_known(question, b) for b in reversed(BUDGETS)}
        first = [{one.of, one.than} for one in question.contrasts[:1]]
        for budget, rows in found.items():
            if rows and all(one <= {r["run"]["name"] for r in rows} for one in first):
                return budget, rows
        return next(((b, rows) for b, rows in found.items() if rows), (BUDGETS[0], []))

    def borrow(self, rows: Sequence[Row]) -> list[Row]:
        """Returns trainings of other questions by the settings of some rows, as theirs.

        A training that two questions ask for is one: what differs is its seed alone.

        Args:
            rows: Of one question. Their seeds are not borrowed.
        """
        own = {_settle(row["run"]): row["run"] for row in rows if row["run"]["train"]}
        seeds = {(_settle(row["run"]), row["run"]["seed"]) for row in rows}
        found = []
        for row in [row for name in QUESTIONS for row in self.read(name)]:
            settings, seed = _settle(row["run"]), row["run"]["seed"]
            if settings in own and (settings, seed) not in seeds:
                seeds.add((settings, seed))
                found.append({**row, "run": own[settings] | {"seed": seed}})
        return found

    def _list_known(self, question: Question, budget: str) -> list[Row]:
        rows = self.read(question.name)
        most = max((row["run"]["seed"] for row in rows), default=0) + 1
        known = [run.to_plain() for run in question.list_runs(budget, most)]
        return [row for row in rows if row["run"] in known]

    def _path(self, question: str) -> Path:
        return self.folder / f"{question}.jsonl"


def _settle(run: Row) -> str:
    """What is done in a run, whatever it is called and whichever its seed."""
    kept = {k: v for k, v in run.items() if k not in ("question", "name", "seed")}
    words = [word for word in run["train"] or () if not word.startswith("seed=")]
    return json.dumps(kept | {"train": sorted(words)}, sort_keys=True)
