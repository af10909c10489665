"""A part of a plan alone: asked for, answered and compared, but never executed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

import policy
from envs.answer import NORMALIZED, format_answer, parse_affordance
from envs.records import Affordance, ParseFailure, Trajectory
from envs.sampling.turns import follow_up
from envs.video.film import film
from envs.video.sheet import draw_tile
from policy.evaluation.baselines import BASELINES
from policy.evaluation.evaluate import evaluate
from policy.evaluation.table import tabulate
from policy.grpo.config import GRPOConfig
from policy.grpo.credit import build_batch
from policy.records import Group
from policy.rollout.collect import RolloutConfig
from policy.rollout.play import answer_scripted
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from policy.training.job import Job
from policy.training.progress import Screen
from policy.training.run_dir import RunDir
from policy.training.trainer import train
from rewards import RewardMix

PARTS = ("affordance", "trajectory")
PAPER = RewardMix(
    weights={"format": 1.0, "affordance": 1.0, "path_rmse": 0.6, "endpoint": 0.4},
    name="paper",
)
DISTANCES = {"dfd", "hd", "rmse", "average", "endpoint"}


def source(asked: str) -> SceneSource:
    return SceneSource(names=("pick_mug",), split="test", answer=asked)


def make_job(asked: str) -> Job:
    return Job(
        source=replace(source(asked), split="train"),
        mix=PAPER,
        algo=GRPOConfig(),
        rollout=RolloutConfig(
            prompts=2, num_generations=4, temperature=1.0, max_new_tokens=64, workers=0
        ),
        steps=1,
        n=2,
        videos=0,
    )


@pytest.fixture(scope="module", params=PARTS)
def trained(request, tmp_path_factory) -> tuple[str, RunDir, list[Group]]:
    """What was asked, the run of one step, and the groups it learned from."""
    run = RunDir.create(tmp_path_factory.mktemp("runs") / request.param, "a: 1\n")
    kept: list[Group] = []
    log = run.log_rollouts
    run.log_rollouts = lambda step, groups, advantages: (
        kept.extend(groups),
        log(step, groups, advantages),
    )
    vlm = policy.load("tiny", device="cpu")
    train(vlm, make_job(request.param), run, Screen(Console(quiet=True)))
    return request.param, run, kept


@pytest.fixture(scope="module")
def scene():
    with Workers(0) as workers:
        return next(workers.make_scenes(source("affordance"), [[3]]))[0]


def test_a_scene_is_the_same_whatever_is_asked(scene) -> None:
    with Workers(0) as workers:
        (whole,) = next(workers.make_scenes(source("plan"), [[3]]))
    assert scene.observation.answer == "affordance"
    assert whole.observation.answer == "plan"
    assert scene.reference == whole.reference
    assert (scene.observation.image == whole.observation.image).all()


def test_an_unknown_answer_names_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="'box'; valid: plan, affordance, trajectory"):
        source("box")


def test_nothing_is_executed(scene) -> None:
    answers = [
        Affordance(box=scene.reference.box),
        ParseFailure(reason="no_answer"),
    ]
    with Workers(0) as workers:
        assert workers.simulate([(scene, answers)]) == [[None, None]]
        assert workers.follow_up([(scene, answers[0])]) == [scene]
    assert follow_up(scene, answers[0]) is scene


def test_the_expert_is_measured_by_the_figures_that_there_are() -> None:
    expert = answer_scripted(BASELINES["expert"])
    with Workers(0) as workers:
        whole, _ = evaluate(expert, source("plan"), workers, n=2)
        box, attempts = evaluate(
            expert, source("affordance"), workers, n=2, keep=2, mix=PAPER
        )
        path, _ = evaluate(expert, source("trajectory"), workers, n=2)
    assert box.figures.keys() == {"parse_rate", "iou"}
    assert path.figures.keys() == {"parse_rate"} | DISTANCES
    assert whole.figures == {"success": whole.figures["success"]} | (
        box.figures | path.figures
    )
    for attempt in attempts:
        assert attempt.outcome is None and attempt.reward is not None
        assert attempt.reward.terms["affordance"] > 0.9
    rows = [{"env": "e", "policy": "p", "split": "s"} | e.to_row() for e in (box, path)]
    assert tabulate(rows).row_count == len(box.figures | path.figures) + 1


def test_an_answer_that_cannot_be_read_counts_as_the_worst_of_its_figures() -> None:
    with Workers(0) as workers:
        evaluation, _ = evaluate(
            lambda scenes: [("no idea", NORMALIZED)] * len(scenes),
            source("affordance"),
            workers,
            n=2,
        )
    row = evaluation.to_row()
    assert row["parse_rate"] == row["iou"] == 0
    assert row["failures"] == {"no_answer": 2}


def test_a_run_learns_from_geometry_alone(trained) -> None:
    asked, run, groups = trained
    summary = run.read_json("summary.json")
    assert summary is not None
    for when in ("before", "after"):
        figures = summary[when]["intervals"].keys()
        assert figures == {"parse_rate"} | (
            {"iou"} if asked == "affordance" else DISTANCES
        )
    lines = (run.path / "rollouts.jsonl").read_text().splitlines()
    for row in map(json.loads, lines):
        assert row["reason"] is None and not row["success"]
        if row["parse_failure"] is None:
            assert (row["box"] is None) == (asked == "trajectory")
            assert (row["waypoints"] is None) == (asked == "affordance")
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    assert len(rollouts) == len(lines) == 8
    assert all(rollout.outcome is None for rollout in rollouts)
    kind = Affordance if asked == "affordance" else Trajectory
    read = [r for r in rollouts if isinstance(r.answer, kind)]
    assert any(r.reward.total > 0 for r in read)
    # The default policy says whole plans: the part is read, but the format not kept.
    assert not any(r.reward.terms["format"] for r in read)


def test_only_the_tokens_of_the_part_get_its_credit(trained) -> None:
    asked, _, groups = trained
    vlm = policy.load("tiny", device="cpu")
    flat = [
        replace(
            group,
            rollouts=tuple(
                replace(r, reward=replace(r.reward, total=0.0)) for r in group.rollouts
            ),
        )
        for group in groups
    ]
    batch, _ = build_batch(vlm, flat, GRPOConfig(part_weight=0.5, expert_advantage=0.0))
    assert batch.advantages.any()
    for row, completions in zip(batch.advantages, batch.completions, strict=True):
        for advantages, completion in zip(row, completions, strict=True):
            box = completion.text.split('"trajectory"')[0]
            spans = vlm.token_spans(completion.token_ids)
            credited = [s for s, a in zip(spans, advantages.tolist()) if a]
            for start, end in credited:
                assert (start < len(box)) == (asked == "affordance")
                assert not any(c.isalpha() for c in completion.text[start:end])


def test_the_expert_joins_the_group_with_the_part_that_is_asked(trained) -> None:
    asked, _, groups = trained
    vlm = policy.load("tiny", device="cpu")
    batch, _ = build_batch(vlm, groups, GRPOConfig(expert_advantage=1.0))
    for group, completions in zip(groups, batch.completions, strict=True):
        reference = group.scene.reference
        assert reference is not None
        assert completions[-1].text == format_answer(reference.to_answer(asked))
    assert torch.isfinite(batch.advantages).all()


def test_a_job_that_only_an_execution_could_reward_is_refused() -> None:
    job = make_job("affordance")
    success = RewardMix(weights={"success": 1.0}, name="success")
    with pytest.raises(ValueError, match="answer=affordance is not.*reward=paper"):
        replace(job, mix=success)
    with pytest.raises(ValueError, match="max_turns is 2, but answer=affordance"):
        replace(job, max_turns=2)
    with Workers(0) as workers, pytest.raises(ValueError, match="use max_turns=1"):
        evaluate(lambda scenes: [], source("affordance"), workers, n=1, max_turns=2)


def test_a_film_shows_the_part_and_no_execution(scene, tmp_path: Path) -> None:
    text = format_answer(scene.reference.to_answer("affordance"))
    answer = parse_affordance(text)
    frames = list(film(scene, text, answer))
    assert len(frames) == 2 * (len(frames) // 2) < 100
    plain = film(scene, text, ParseFailure(reason="no_answer"))
    assert (frames[0] != next(plain)).any()
    assert draw_tile(scene, answer).shape == (344, 288, 3)


def test_a_box_with_heights_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="waypoints=3d, but answer=affordance"):
        SceneSource(names=("pick_mug",), waypoints="3d", answer="affordance")
