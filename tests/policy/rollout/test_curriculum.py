"""More of the scenes whose outcome is open, and the same ones after a resume."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import JOB, execute, read_log

from policy.rollout.config import RolloutConfig
from policy.rollout.curriculum import allot
from policy.rollout.scene_source import SceneSource

NAMES = ("a", "b", "c")
ROWS = [{"success/a": 1.0, "success/b": 0.5, "success/c": 0.0}] * 20


def test_without_focus_all_come_alike() -> None:
    assert allot(NAMES, ROWS, 0.0) == NAMES


def test_before_anything_is_known_all_come_alike() -> None:
    assert len(set(Counter(allot(NAMES, [], 0.8)).values())) == 1


def test_open_outcomes_come_most_and_settled_ones_still_come() -> None:
    count = Counter(allot(NAMES, ROWS, 0.6))
    assert count["b"] > 2 * count["a"] and count["a"] == count["c"] > 10


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(0, 1)), max_size=9),
    st.floats(0, 1),
)
def test_every_scene_keeps_its_even_part(rows: list, focus: float) -> None:
    known = [{f"success/{name}": v for name, v in row.items()} for row in rows]
    names = allot(NAMES, known, focus)
    assert set(names) == set(NAMES)
    even = (1 - focus) / len(NAMES)
    assert all(n / len(names) > even - 0.02 for n in Counter(names).values())


def test_a_focus_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="rollout.focus is 1.5; must be in 0..1"):
        RolloutConfig(focus=1.5)


def test_a_resumed_run_asks_for_the_same_scenes(tmp_path: Path) -> None:
    source = SceneSource(names=("press_button", "use_tool"))
    rollout = replace(JOB.rollout, focus=1.0, prompts=4)
    job = replace(JOB, source=source, rollout=rollout, steps=5, n=0)
    whole = execute(tmp_path / "whole", job)
    broken = execute(tmp_path / "broken", replace(job, steps=2))
    (broken.path / "summary.json").unlink()
    execute(broken.path, job, resume=True)
    assert read_log(broken.path) == read_log(whole.path)
