"""Held-out evaluation: baselines, intervals, and averages that leave nothing out."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

import policy
from envs import list_common, make_scene, parse_answer
from envs.records import Plan, Question, Reference
from envs.scene import Picture, PictureConfig
from policy.evaluation import statistics
from policy.evaluation.baselines import BASELINES
from policy.evaluation.evaluate import Exam, evaluate
from policy.evaluation.pairs import compare_solved
from policy.evaluation.statistics import estimate_mean, estimate_rate
from policy.evaluation.table import tabulate
from policy.rollout.collect import answer_greedily
from policy.rollout.play import Referee, answer_scripted
from policy.rollout.scene_source import SceneSource, choose_seeds
from policy.rollout.workers import Workers

MUGS = SceneSource(names=("pick_mug",), split="test")


def run(answerer, source=MUGS, n=4, keep=0, workers=0, **options):
    exam = Exam(source=source, n=n, **options)
    with Workers(workers) as pool:
        return evaluate(answerer, exam, Referee(workers=pool), keep=keep)


def test_the_expert_succeeds_on_every_kept_scene() -> None:
    evaluation, _ = run(answer_scripted(BASELINES["expert"]))
    figures = evaluation.figures
    assert figures["success"].mean == figures["parse_rate"].mean == 1
    assert figures["iou"].mean > 95
    assert figures["endpoint"].mean < 2
    assert evaluation.failures == {}


@pytest.mark.parametrize("name", ["null", "wrong_target"])
def test_doing_nothing_or_the_wrong_thing_never_succeeds(name) -> None:
    evaluation, _ = run(answer_scripted(BASELINES[name]))
    assert evaluation.figures["success"].mean == 0
    assert evaluation.figures["parse_rate"].mean == 1
    assert sum(evaluation.failures.values()) == evaluation.n


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_answers_in_the_grammar_and_always_the_same(name) -> None:
    scene = make_scene("pick_mug", "test", seed=3)
    text = BASELINES[name](scene)
    answer = parse_answer(text)
    assert isinstance(answer, Plan) and answer.well_formed
    assert text == BASELINES[name](scene)


@pytest.mark.parametrize("name", ["tiny", "tiny_grpo"])
def test_a_shipped_policy_knows_the_scenes(name) -> None:
    scenes = SceneSource(names=tuple(list_common()), split="test")
    answerer = answer_greedily(policy.load(name, device="cpu"), max_new_tokens=64)
    evaluation, _ = run(answerer, scenes, n=26)
    assert evaluation.figures["success"].mean > 0.8
    assert evaluation.figures["iou"].mean > 80


def test_an_answer_that_cannot_be_read_counts_as_the_worst() -> None:
    evaluation, _ = run(answer_scripted(lambda scene: "no idea"), n=2)
    row = evaluation.to_row()
    assert row["parse_rate"] == row["success"] == row["iou"] == 0
    for name in ("dfd", "hd", "rmse", "average", "endpoint"):
        assert row[name] == pytest.approx(1000 * math.sqrt(2))
    assert row["failures"] == {"no_answer": 2}


def test_an_evaluation_repeats_exactly_and_its_seed_chooses_the_scenes() -> None:
    first, rollouts = run(answer_scripted(BASELINES["random"]), keep=1, seed=5)
    second, again = run(answer_scripted(BASELINES["random"]), keep=1, seed=5)
    assert first == second
    assert rollouts[0].scene.seed == again[0].scene.seed == choose_seeds(4, 5)[0]
    assert choose_seeds(4, 5) != choose_seeds(4, 6)


def test_workers_give_what_this_process_gives() -> None:
    expert = answer_scripted(BASELINES["expert"])
    assert run(expert, n=2, workers=1)[0] == run(expert, n=2)[0]


def test_the_table_shows_every_figure() -> None:
    evaluation, _ = run(answer_scripted(BASELINES["null"]), n=1)
    row = {"env": "pick_mug", "policy": "null", "split": "test"}
    table = tabulate([row | evaluation.to_row()])
    assert table.row_count == len(evaluation.figures) + 1


def test_many_scenes_are_listed_with_their_mean() -> None:
    evaluation, _ = run(answer_scripted(BASELINES["expert"]), n=1)
    row = {"policy": "expert", "split": "test"} | evaluation.to_row()
    table = tabulate([{"env": f"scene{i}"} | row for i in range(6)])
    assert table.row_count == 7
    assert list(table.columns[0].cells)[-1] == "mean"
    assert list(table.columns[1].cells)[-1] == "1.000"


def test_wilson_intervals_are_those_of_the_textbook() -> None:
    rate = estimate_rate([True] * 61 + [False] * 39)
    assert (rate.mean, rate.low, rate.high) == pytest.approx(
        (0.61, 0.512, 0.7), abs=1e-3
    )
    none, all_ = estimate_rate([False] * 20), estimate_rate([True] * 20)
    assert none.low == 0 and none.high == pytest.approx(0.161, abs=1e-3)
    assert all_.high == 1 and all_.low == pytest.approx(0.839, abs=1e-3)


def test_a_bootstrap_interval_has_the_width_of_the_normal_one() -> None:
    values = [float(i % 10) for i in range(400)]
    estimate = estimate_mean(values)
    half = 1.96 * 2.8759 / 20
    assert estimate.mean == 4.5
    assert estimate.low == pytest.approx(4.5 - half, abs=0.03)
    assert estimate.high == pytest.approx(4.5 + half, abs=0.03)
    assert estimate == estimate_mean(values)


def test_a_bootstrap_of_many_values_holds_few_at_once(monkeypatch) -> None:
    values = np.random.default_rng(0).normal(size=301)
    monkeypatch.setattr(statistics, "HELD", 2**30)
    whole = estimate_mean(values)
    monkeypatch.setattr(statistics, "HELD", 1000)  # resamples three at a time
    assert estimate_mean(values) == whole
    monkeypatch.undo()
    tracemalloc.start()
    estimate_mean(np.ones(4000))  # 61 MiB of resamples, as much of their places
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 2**20


def test_the_expert_says_an_annotated_path_of_any_length() -> None:
    path = tuple((0.3, 0.02 * i) for i in range(12))
    for count, said in ((2, 3), (5, 5), (12, 10)):
        picture = Picture(
            config=PictureConfig(name="offline", split="test", seed=0, item="a"),
            observation=Question(
                image=np.zeros((8, 8, 3), np.uint8), instruction="lift the mug"
            ),
            reference=Reference(box=(0.2, 0.2, 0.4, 0.4), waypoints=path[:count]),
        )
        answer = parse_answer(BASELINES["expert"](picture))
        assert isinstance(answer, Plan) and len(answer.waypoints) == said


def test_a_second_turn_sees_what_the_first_answer_left() -> None:
    """The wrong mug is lifted and dropped first; then the right one is asked for."""
    turns: list[int] = []

    def answer(scenes):
        turns.append(len(scenes))
        name = "wrong_target" if len(turns) == 1 else "expert"
        return answer_scripted(BASELINES[name])(scenes)

    evaluation, rollouts = run(answer, keep=4, max_turns=2)
    assert turns == [4, 4] and len(rollouts) == 8
    assert evaluation.n == 4 and evaluation.figures["success"].mean >= 0.75
    first, second = rollouts[:2]
    assert first.scene.instruction == second.scene.instruction
    assert (first.scene.data.qpos != second.scene.data.qpos).any()


def test_a_scene_that_succeeds_has_no_second_turn() -> None:
    _, rollouts = run(answer_scripted(BASELINES["expert"]), keep=2, max_turns=3)
    assert len(rollouts) == 2


def test_no_scenes_and_no_turns_are_errors() -> None:
    with pytest.raises(ValueError, match="max_turns is 0"):
        run(answer_scripted(BASELINES["null"]), max_turns=0)
    with pytest.raises(ValueError, match="n is 0"):
        run(answer_scripted(BASELINES["null"]), n=0)


def answer_expertly(chosen):
    """The expert answers the chosen scenes; to the others nothing is done."""
    return answer_scripted(
        lambda scene: BASELINES["expert" if chosen(scene) else "null"](scene)
    )


def test_of_several_kinds_of_scenes_the_success_of_each_is_told() -> None:
    kinds = ("open_drawer", "press_button")
    source = SceneSource(names=kinds, split="test")
    answerer = answer_expertly(lambda scene: scene.name == "open_drawer")
    evaluation, kept = run(answerer, source, n=6, keep=6)
    names = [rollout.scene.name for rollout in kept]
    assert set(names) == set(kinds)
    row = evaluation.to_row()
    assert (row["success/open_drawer"], row["success/press_button"]) == (1, 0)
    assert row["success"] == pytest.approx(names.count("open_drawer") / 6, abs=1e-6)
    table = tabulate([{"env": "all", "policy": "half", "split": "test"} | row])
    assert {"open drawer", "press button"} <= set(table.columns[0].cells)


def test_what_was_solved_is_told_by_seed() -> None:
    kinds = ("open_drawer", "press_button")
    source = SceneSource(names=kinds, split="test")
    seeds = choose_seeds(6, 0)
    chosen = {seeds[1], seeds[4]}
    answerer = answer_expertly(lambda scene: scene.seed in chosen)
    evaluation, rollouts = run(answerer, source, n=6, keep=6)
    expected: dict[str, dict[int, bool]] = {}
    for scene in [rollout.scene for rollout in rollouts]:
        expected.setdefault(scene.name, {})[scene.seed] = scene.seed in chosen
    assert evaluation.solved == expected
    nothing = compare_solved(evaluation.solved, evaluation.solved)
    assert nothing.keys() == {"success", *(f"success/{kind}" for kind in kinds)}
    assert not any(p.gained or p.lost or p.difference for p in nothing.values())
    failed, _ = run(answer_scripted(BASELINES["null"]), source, n=6)
    gained = compare_solved(failed.solved, evaluation.solved)["success"]
    assert (gained.gained, gained.lost, gained.n) == (2, 0, 6)


def test_no_kind_of_scene_is_an_error() -> None:
    with pytest.raises(ValueError, match="no scene is named"):
        SceneSource(names=())
