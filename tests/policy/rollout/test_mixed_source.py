"""Images and scenes learn in one step: each with its own reward, its own figures."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from runs import JOB, execute, read_log
from test_picture_source import write

import policy
from envs.scene import Picture, Scene
from policy.data.sets import SetConfig, open_set
from policy.evaluation.evaluate import Exam
from policy.evaluation.pairs import list_solved
from policy.report.run import read_run
from policy.report.scenes import list_judged, pair_up
from policy.report.tables import list_figures
from policy.rollout.collect import collect
from policy.rollout.figures import describe
from policy.rollout.mixed_source import MixedSource, list_kinds
from policy.rollout.picture_source import NAME, PictureSource, list_places
from policy.rollout.play import Referee
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from rewards import RewardMix
from rewards.terms import PHYSICAL

PAPER = RewardMix(weights={"format": 0.2, "affordance": 1.0, "endpoint": 0.5})
SUCCESS = RewardMix(weights={"success": 1.0})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> MixedSource:
    folder = write(tmp_path_factory.mktemp("annotated") / "set", 60)
    pictures = PictureSource(images=open_set(SetConfig(path=str(folder))))
    scenes = SceneSource(names=("press_button", "pick_mug"))
    return MixedSource(scenes=scenes, pictures=pictures)


def test_a_step_has_the_share_of_images_that_is_asked_for(source):
    for share in (0.0, 0.25, 1 / 3, 1.0):
        mixed = replace(source, share=share)
        counts = [sum(s % 2 for s in mixed.choose_seeds(6, 0, t)) for t in range(90)]
        assert {*counts} <= {math.floor(6 * share), math.ceil(6 * share)}
        few = [sum(s % 2 for s in mixed.choose_seeds(1, 0, t)) for t in range(300)]
        assert abs(sum(few) / 300 - share) < 0.08


def test_each_half_of_a_step_has_both(source):
    kinds = [seed % 2 for seed in source.choose_seeds(8, 3, 1)]
    assert sum(kinds[:4]) == sum(kinds[4:]) == 2
    assert source.choose_seeds(8, 3, 1) == source.choose_seeds(8, 3, 1)


def test_a_seed_is_the_scene_or_the_image_of_its_own_source(source):
    seeds = source.choose_seeds(6, 0)
    with Workers(0) as workers:
        [made] = workers.make_scenes(source, [seeds])
    for seed, one in zip(seeds, made, strict=True):
        own = source.pictures if seed % 2 else source.scenes
        assert isinstance(one, Picture if seed % 2 else Scene)
        assert one.seed == seed // 2
        assert own.choose(seed // 2).to_dict().items() <= one.config.to_dict().items()


def test_what_is_learned_from_is_not_measured(source):
    held_out = source.held_out()
    assert held_out.scenes.split == held_out.pictures.split == "test"
    shown = {held_out.choose(s).item for s in held_out.choose_seeds(60, 0) if s % 2}
    items = source.pictures.images.items
    learned = {items[i].name for i in list_places(source.pictures.images, "train")}
    assert shown and not shown & learned


def test_each_image_beside_scenes_is_measured_once(source):
    exam = Exam(source=source.held_out(), n=100)
    seeds = exam.list_seeds()
    images = [exam.choose(seed).item for seed in seeds if seed % 2]
    assert (
        len({*images})
        == len(images)
        == len(list_places(source.pictures.images, "test"))
    )
    assert len(seeds) - len(images) == 50


@pytest.mark.parametrize(
    ("mixes", "message"),
    [
        ((SUCCESS,), "use reward=paper"),
        ((SUCCESS, SUCCESS), "use reward=paper"),
    ],
)
def test_images_are_not_rewarded_by_what_nobody_executes(source, mixes, message):
    source.check_mix(SUCCESS, PAPER)
    with pytest.raises(ValueError, match=message):
        source.check_mix(*mixes)


@pytest.fixture(scope="module")
def run(source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    job = replace(
        JOB,
        source=source,
        mix=SUCCESS,
        picture_mix=PAPER,
        n=8,
        rollout=replace(JOB.rollout, prompts=4),
    )
    path = tmp_path_factory.mktemp("runs") / "mixed"
    execute(path, job)
    stopped = path.with_name("stopped")
    shutil.copytree(path, stopped)
    for step in (2, 3):
        shutil.rmtree(stopped / "checkpoints" / f"step_{step}")
    for left in ("summary.json", "final"):
        gone = stopped / left
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    execute(stopped, job, resume=True)
    return path


def test_each_item_has_its_own_reward(run):
    rows = read_log(run, "rollouts.jsonl")
    images = [row for row in rows if row["env"] == NAME]
    scenes = [row for row in rows if row["env"] != NAME]
    assert len(images) == len(scenes) == 3 * 2 * 3
    assert all(row["reward"] in (0, 1) for row in scenes)
    for row in images:
        told = sum(row["terms"][name] * w for name, w in PAPER.weights.items()) / 1.7
        assert row["reward"] == pytest.approx(told, abs=1e-5) and not row["success"]


def test_figures_are_told_by_source_and_success_is_of_scenes(run):
    for step in read_log(run):
        rows = [r for r in read_log(run, "rollouts.jsonl") if r["step"] == step["step"]]
        done = [row["success"] for row in rows if row["env"] != NAME]
        assert step["success"] == pytest.approx(sum(done) / len(done))
        assert f"success/{NAME}" not in step
        rewards = [row["reward"] for row in rows if row["env"] == NAME]
        mean = sum(rewards) / len(rewards)
        assert step[f"reward/{NAME}"] == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("kind", [0, 1])
def test_a_step_of_one_kind_has_the_figures_of_no_other(source, kind):
    one = replace(source, scenes=source.scenes.with_names(["pick_mug"]))
    vlm = policy.load("tiny", device="cpu")
    with Workers(0) as workers:
        seeds = [seed for seed in one.choose_seeds(4, 0) if seed % 2 == kind]
        [made] = workers.make_scenes(one, [seeds])
        referee = Referee(workers=workers, mix=SUCCESS, picture_mix=PAPER)
        groups = collect(vlm, made, JOB.rollout, referee, (0,))
    found, name = describe(groups, list_kinds(one)), made[0].name
    assert found[f"reward/{name}"] == found["reward"]
    executed = name == "pick_mug"
    for term in (*PHYSICAL, "success/pick_mug"):
        assert (term in found) == executed
    assert f"success/{NAME}" not in found
    alone = describe(groups)
    assert alone.keys() >= PHYSICAL.keys() and not any("/" in key for key in alone)
    assert executed or alone["success"] == 0


def test_a_mixed_run_resumes_to_the_same_end(run):
    assert read_log(run) == read_log(run.with_name("stopped"))


def test_evaluation_and_report_tell_the_sources_apart(run):
    found = read_run(run)
    after = found.figures["after"]
    solved = list_solved(found.evaluations["after"])
    every = [done for row in solved.values() for done in row.values()]
    assert NAME not in solved and len(every) == 4
    assert after["success"] == sum(every) / 4
    for source in {*solved, NAME}:
        assert {f"iou/{source}", f"average/{source}"} <= after.keys()
    titles = [row.title for row in list_figures(found)]
    assert f"box IoU, {NAME}" in titles and "success" in titles
    cases = pair_up(found.evaluations)
    assert {case.first["env"] for case in list_judged(cases)} == {*solved}
    assert found.summary["paired"]["success"]["n"] == 4
