"""What nobody could finish is told, and takes nothing else along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import call

from policy.rollout.workers import Aside, Workers

QUICK = ("env=press_button", "n=2")


@pytest.fixture(autouse=True)
def _one_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the first scene aside that a command asks for."""
    usual = Workers._collect

    def lose(self: Workers, started: Any) -> list[Any]:
        if self.aside:
            return usual(self, started)
        config = started[0][0]
        self.aside.append(Aside(what="build", why="it never ended", scene=config))
        return usual(self, started[1:])

    monkeypatch.setattr(Workers, "_collect", lose)


def test_policies_are_paired_on_the_scenes_that_both_answered(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.json"
    asked = ("policy=[expert,null]", "rollout.workers=0", f"out={out}")
    assert not call("evaluate", *QUICK, *asked)
    assert [row["n"] for row in json.loads(out.read_text())] == [1, 2]
    [pairs] = json.loads(out.with_suffix(".pairs.json").read_text())
    assert (pairs["n"], pairs["policy"], pairs["lost"]) == (1, "null", 1)
    said = capfd.readouterr().out
    assert "warning: put aside (build): scene 'press_button'" in said


def test_a_suite_is_whole_or_not_written(tmp_path: Path) -> None:
    out = tmp_path / "suites" / "suite.json"
    said = call("freeze", *QUICK, f"out={out}")
    assert "a suite needs every scene, but put aside (build)" in said
    assert not out.exists()
