"""Whether the words are followed is told apart from whether something succeeds."""

from __future__ import annotations

import pytest

from envs import make_scene
from envs.sampling.suite import BYTES, Frozen, Suite
from envs.scene import Scene
from policy.evaluation.baselines import BASELINES, answer_expert
from policy.evaluation.evaluate import Exam
from policy.evaluation.language import measure_obedience, swap
from policy.rollout.play import answer_scripted
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers

BUTTONS = SceneSource(names=("press_button",), split="test")


def measure(answer, suite: Suite | None = None):
    exam = Exam(source=BUTTONS, n=4, suite=suite)
    with Workers(0) as workers:
        return measure_obedience(answer_scripted(answer), exam, workers)


def ignore_words(scene: Scene) -> str:
    """The expert's answer to what the scene usually asks."""
    usual = make_scene(scene.name, scene.split, scene.seed)
    return answer_expert(usual)


def test_a_swapped_scene_asks_for_something_else_in_the_same_image() -> None:
    scene = make_scene("press_button", "test", seed=0)
    other = swap(scene)
    assert other is not None
    assert other.goal.aim != scene.goal.aim
    assert other.observation.instruction == other.goal.instruction != scene.instruction
    assert (other.observation.image == scene.observation.image).all()
    assert other.goal.aim not in {goal.aim for goal in other.others}
    assert scene.goal in other.others


def test_the_expert_does_what_is_named_and_nothing_else() -> None:
    found = measure(answer_expert)
    assert (found.named.mean, found.unnamed.mean, found.chosen.mean) == (1, 0, 1)
    assert found.n == found.to_row()["n"] == 4


def test_who_ignores_the_words_does_what_was_not_named() -> None:
    found = measure(ignore_words)
    assert (found.named.mean, found.unnamed.mean, found.chosen.mean) == (0, 1, 0)


def test_who_does_nothing_does_neither() -> None:
    found = measure(BASELINES["null"])
    assert found.named.mean == found.unnamed.mean == 0


def test_scenes_that_are_not_the_suites_are_refused() -> None:
    frozen = {seed: Frozen("0" * 2 * BYTES, 0) for seed in range(4)}
    suite = Suite(scenes={("press_button", "test"): frozen})
    with pytest.raises(ValueError, match="seed 0 is not the suite's"):
        measure(answer_expert, suite)


def test_scenes_without_a_choice_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policy.evaluation.language.swap", lambda scene: None)
    with pytest.raises(ValueError, match="press_button: none of 4 scenes has another"):
        measure(answer_expert)
