"""What is measured on a suite: all that it has, or as many scenes as are asked for."""

import json
from pathlib import Path

import pytest
from commands import call

import envs
from envs.sampling.suite import freeze, save_suite


@pytest.mark.parametrize(("asked", "found"), [((), 2), (("n=1",), 1)])
def test_all_of_a_suite_is_measured_unless_a_number_is_typed(
    asked: tuple[str, ...], found: int, tmp_path: Path
) -> None:
    scenes = [envs.make_scene("press_button", "test", seed) for seed in range(2)]
    suite, out = tmp_path / "suite.json", tmp_path / "rows.json"
    save_suite(freeze(scenes), suite)
    words = (f"suite={suite}", "env=press_button", "policy=null", "rollout.workers=0")
    assert not call("evaluate", *words, *asked, f"out={out}")
    assert [row["n"] for row in json.loads(out.read_text())] == [found]
