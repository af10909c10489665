"""A thousand steps hold as much at their end as at their beginning."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from held import Held, look
from runs import JOB, execute

from policy.rollout.workers import Workers

pytestmark = pytest.mark.faults
STEPS, EARLY = 1000, 100
SOAK = replace(
    JOB,
    rollout=replace(JOB.rollout, prompts=1, num_generations=2, workers=2),
    steps=STEPS,
    n=2,
    checkpoint_every=EARLY,
    keep=1,
)


def add_up(found: dict[int, Held]) -> dict[str, float]:
    rows = [asdict(one) for one in found.values()]
    return {key: round(sum(row[key] for row in rows), 1) for key in rows[0]}


def test_a_thousand_steps_hold_no_more_than_a_hundred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    seen: list[dict[str, float]] = []

    def report(workers: Workers) -> None:
        looks = [workers.start(look) for _ in range(6)]
        found = dict([look(), *(one.result() for one in looks)])
        left = sum(1 for _ in temporary.rglob("*"))
        seen.append(add_up(found) | {"processes": len(found), "files": left})
        print(f"held after report {len(seen)}: {seen[-1]}", flush=True)  # noqa: T201

    execute(tmp_path / "run", SOAK, report=report)
    early, late = seen[1], seen[STEPS // EARLY]  # the first is of the evaluation before
    for name in early.keys() - {"memory_mib"}:
        assert late[name] <= early[name], name
    assert late["memory_mib"] <= 1.1 * early["memory_mib"]
