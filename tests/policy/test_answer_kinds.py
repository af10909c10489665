"""A part of a plan alone: asked for, answered and compared, but never executed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from runs import JOB, execute, read_log

import policy
from envs.answer import format_answer, parse_affordance
from envs.records import Affordance, ParseFailure, Trajectory
from envs.sampling.turns import follow_up
from envs.video.film import film
from envs.video.sheet import draw_tile
from policy.evaluation.baselines import BASELINES
from policy.evaluation.evaluate import Exam, evaluate
from policy.evaluation.table import tabulate
from policy.grpo.config import GRPOConfig
from policy.grpo.credit import build_batch
from policy.records import Completion, Group, Rollout
from policy.rollout.play import Referee, answer_scripted
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from policy.training.history import History
from policy.training.job import Job
from policy.training.run_dir import RunDir
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
    return replace(
        JOB,
        source=replace(source(asked), split="train"),
        mix=PAPER,
        algo=replace(JOB.algo, part_weight=0.5),
        rollout=replace(JOB.rollout, num_generations=4),
        steps=1,
    )


def examine(answerer, source: SceneSource, mix: RewardMix | None = None):
    """The figures of two scenes, and their rollouts."""
    with Workers(0) as workers:
        referee = Referee(workers=workers, mix=mix)
        return evaluate(answerer, Exam(source=source, n=2), referee, keep=2)


@pytest.fixture(scope="module", params=PARTS)
def trained(request, tmp_path_factory) -> tuple[str, RunDir, list[Group]]:
    """What was asked, the run of one step, and the groups it learned from."""
    kept: list[Group] = []
    log = History.add_rollouts

    def keep(run, step, groups, advantages) -> None:
        kept.extend(groups)
        log(run, step, groups, advantages)

    path = tmp_path_factory.mktemp("runs") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(History, "add_rollouts", keep)
        run = execute(path, make_job(request.param))
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
    whole, _ = examine(expert, source("plan"))
    box, rollouts = examine(expert, source("affordance"), PAPER)
    path, _ = examine(expert, source("trajectory"))
    assert box.figures.keys() == {"parse_rate", "iou"}
    assert path.figures.keys() == {"parse_rate"} | DISTANCES
    assert whole.figures == {"success": whole.figures["success"]} | (
        box.figures | path.figures
    )
    assert len(rollouts) == 2
    for rollout in rollouts:
        assert rollout.outcome is None
        assert rollout.reward.terms["affordance"] > 0.9
    rows = [{"env": "e", "policy": "p", "split": "s"} | e.to_row() for e in (box, path)]
    assert tabulate(rows).row_count == len(box.figures | path.figures) + 1


def test_an_answer_that_cannot_be_read_counts_as_the_worst_of_its_figures() -> None:
    answerer = answer_scripted(lambda scene: "no idea")
    evaluation, _ = examine(answerer, source("affordance"))
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
    rows = read_log(run.path, "rollouts.jsonl")
    for row in rows:
        assert row["reason"] is None and not row["success"]
        if row["parse_failure"] is None:
            assert (row["box"] is None) == (asked == "trajectory")
            assert (row["waypoints"] is None) == (asked == "affordance")
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    assert len(rollouts) == len(rows) == 8
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
    config = GRPOConfig(part_weight=0.5, expert_advantage=0.0)
    batch, _ = build_batch(vlm, flat, config, JOB.sampling)
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
    config = GRPOConfig(expert_advantage=1.0)
    batch, _ = build_batch(vlm, groups, config, JOB.sampling)
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
        replace(job, rollout=replace(job.rollout, max_turns=2))
    with pytest.raises(ValueError, match="use max_turns=1"):
        Exam(source=source("affordance"), n=1, max_turns=2)


def test_a_film_shows_the_part_and_no_execution(scene, tmp_path: Path) -> None:
    text = format_answer(scene.reference.to_answer("affordance"))
    said, answer = Completion(text=text), parse_affordance(text)
    rollout = Rollout(scene=scene, completion=said, answer=answer)
    frames = list(film(rollout))
    assert len(frames) == 2 * (len(frames) // 2) < 100
    plain = film(replace(rollout, answer=ParseFailure(reason="no_answer")))
    assert (frames[0] != next(plain)).any()
    assert draw_tile(rollout).shape == (344, 288, 3)


def test_a_box_with_heights_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="waypoints=3d, but answer=affordance"):
        SceneSource(names=("pick_mug",), waypoints="3d", answer="affordance")
