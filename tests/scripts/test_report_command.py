"""The command that writes reports: what it takes, and what it says of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import call


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has just begun."""
    path = tmp_path / "begun"
    path.mkdir()
    (path / "config.yaml").write_text("env: {name: pick_mug}\nsteps: 9\n")
    return path


def test_a_run_that_has_just_begun_has_a_report(run: Path) -> None:
    assert call("report", f"run_dir={run}") == ""
    assert "0 of 9 steps" in (run / "report.html").read_text()


def test_runs_side_by_side_go_into_a_file_of_their_own(run: Path) -> None:
    out = run.parent / "pages" / "both.html"
    assert call("report", f"run_dir=[{run},{run}]", f"out={out}") == ""
    assert "2 runs side by side" in out.read_text()
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which run? run_dir=<run directory>"),
        (["run_dir=nowhere"], "run_dir=nowhere: there is no such directory"),
        (["run_dir={run}/.."], "so it is not a run directory"),
        (["run_dir=[{run},{run}]"], "several runs need a file to write"),
        (["run_dir={run}", "films=-1"], "films is -1; at least 0"),
        (["run_dir={run}", "out={run}"], "begun is a directory, not a file"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(run, arguments, message: str) -> None:
    said = call("report", *(a.format(run=run) for a in arguments))
    assert said.startswith("error: ") and message in said and "\n" not in said
    assert [path.name for path in run.parent.iterdir()] == ["begun"]
