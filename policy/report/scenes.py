"""The same held-out scenes, answered by one policy after another: what changed.

An attempt is one policy's answers to a scene, turn after turn; a case is a scene with
the attempts of all policies that are compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from policy.report.run import Row

GAINED, LOST, DIFFER = "gained", "lost", "differ"
SOLVED, FAILED = "solved", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One policy's answers to one scene.

    Attributes:
        by: Whose, e.g. "before".
        turns: Its rows, turn after turn.
    """

    by: str
    turns: Sequence[Row]

    @property
    def success(self) -> bool:
        """Whether the last answer did what was asked."""
        return was_solved(self.turns[-1])

    @property
    def reason(self) -> str:
        """Why the last answer failed, "" if it did not."""
        last = self.turns[-1]
        return "" if self.success else last["reason"] or last["parse_failure"] or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A scene and what each policy made of it.

    Attributes:
        attempts: One a policy.
    """

    attempts: Sequence[Attempt]

    @property
    def first(self) -> Row:
        """The first answer to the scene, whose row says what was asked."""
        return self.attempts[0].turns[0]

    @property
    def verdict(self) -> str:
        """What is to be said of it: solved or failed by all, gained, lost, differ."""
        done = [attempt.success for attempt in self.attempts]
        if len(set(done)) == 1:
            return SOLVED if done[0] else FAILED
        if len(done) > 2:
            return DIFFER
        return GAINED if done[1] else LOST

    @property
    def reason(self) -> str:
        """Why the last policy failed that did, "" if none."""
        return next((a.reason for a in reversed(self.attempts) if not a.success), "")


def was_solved(row: Row) -> bool:
    """Whether an answer did what was asked; part of a plan has only to be readable."""
    if row["reason"] is None and row["parse_failure"] is None:
        return True
    return bool(row["success"])


def list_judged(cases: Sequence[Case]) -> list[Case]:
    """Those in which answers were executed; all where none was."""
    executed = [case for case in cases if case.first["reason"] is not None]
    return executed or [*cases]


def pair_up(evaluations: Mapping[str, Sequence[Row]]) -> list[Case]:
    """Returns the scenes that all policies answered, in the order of the first."""
    attempts = {by: _group(by, rows) for by, rows in evaluations.items()}
    if not attempts:
        return []
    every = list(attempts.values())
    shared = [key for key in every[0] if all(key in other for other in every)]
    return [Case(attempts=[group[key] for group in every]) for key in shared]


def sort_cases(cases: Sequence[Case]) -> list[Case]:
    """What flipped, either way in turn; then failures by reason; then the rest."""
    kinds = {verdict: _select(cases, verdict) for verdict in (GAINED, LOST, FAILED)}
    failed = alternate(list(group_by(kinds[FAILED], lambda c: c.reason).values()))
    return [
        *alternate([kinds[GAINED], kinds[LOST]]),
        *_select(cases, DIFFER),
        *failed,
        *_select(cases, SOLVED),
    ]


def alternate(groups: Sequence[Sequence[Case]]) -> list[Case]:
    """One of each group in turn, until all are there."""
    rounds = chain.from_iterable(zip_longest(*groups))
    return [case for case in rounds if case is not None]


def group_by(
    cases: Sequence[Case], key: Callable[[Case], str]
) -> dict[str, list[Case]]:
    """Cases by a key, the most frequent first."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(key(case), []).append(case)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _select(cases: Sequence[Case], verdict: str) -> list[Case]:
    return [case for case in cases if case.verdict == verdict]


def _group(by: str, rows: Sequence[Row]) -> dict[tuple[str, int], Attempt]:
    """Attempts by scene; one that was tried repeatedly counts anew each time."""
    turns: dict[tuple[str, int], list[Row]] = {}
    tries: dict[str, int] = {}
    for row in rows:
        scene = json.dumps([row["scene"], row.get("answer")], sort_keys=True)
        if row.get("turn", 1) == 1:
            tries[scene] = tries.get(scene, 0) + 1
        turns.setdefault((scene, tries.get(scene, 1)), []).append(row)
    return {key: Attempt(by=by, turns=rows) for key, rows in turns.items()}
