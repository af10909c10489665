"""Annotated images take the place of scenes: asked, compared, never executed."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from broken_items import BROKEN
from commands import call
from PIL import Image
from runs import JOB, execute, read_log

import policy
from envs.answer import format_answer
from envs.records import Affordance
from envs.video.film import film
from envs.video.sheet import draw_tile
from policy.data.sets import SetConfig, open_set
from policy.evaluation.baselines import BASELINES
from policy.evaluation.evaluate import Exam, evaluate
from policy.rollout.collect import answer_by_sampling
from policy.rollout.picture_source import NAME, PictureSource, list_places
from policy.rollout.play import Referee, answer_scripted, play
from policy.rollout.workers import Workers
from rewards import RewardMix

PAPER = RewardMix(weights={"format": 0.2, "affordance": 1.0, "endpoint": 0.5})


def write(folder: Path, count: int, split: str = "", broken: tuple = ()) -> Path:
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(count):
        pixels = rng.integers(0, 256, (224, 224, 3)).astype(np.uint8)
        path = folder / "images" / f"{number}.png"
        Image.fromarray(pixels).save(path)
        if number in broken:  # whole at both ends, and wrong in between
            content = bytearray(path.read_bytes())
            content[200:2000] = bytes(1800)
            path.write_bytes(content)
        x, y = rng.uniform(0.2, 0.6, 2).tolist()
        path_ = [[x + 0.05, y + 0.05], [x + 0.05, y], [x + 0.1, y - 0.1]]
        row = {"image": f"images/{number}.png", "instruction": f"lift mug {number}"}
        row |= {"box": [x, y, x + 0.2, y + 0.1], "waypoints": path_, "split": split}
        rows.append(json.dumps(row) + "\n")
    (folder / "items.jsonl").write_text("".join(rows))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("annotated") / "set", 60)


@pytest.fixture
def source(folder: Path) -> PictureSource:
    return PictureSource(images=open_set(SetConfig(path=str(folder))))


def test_no_image_is_learned_from_and_measured(source):
    train, test = (list_places(source.images, split) for split in ("train", "test"))
    pictures = [item.picture for item in source.images.items]
    assert not {pictures[i] for i in train} & {pictures[i] for i in test}
    assert len(train) + len(test) == 60 and len(train) > len(test) > 0
    assert source.held_out().split == "test"


def write_copies(folder: Path, places: list[tuple[int, str]]) -> Path:
    """A set of small images, each stored at one or more places."""
    rows = []
    for number, place in places:
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3))
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        about = {"instruction": f"lift {number}", "box": [0.1, 0.1, 0.5, 0.5]}
        path_ = [[0.2, 0.3], [0.3, 0.2], [0.4, 0.1]]
        rows.append(about | {"image": place, "waypoints": path_})
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / "items.jsonl").write_text(lines)
    return folder


def list_sides(folder: Path, **options: float) -> dict[str, set[str]]:
    """What is asked of the images of each split."""
    images = open_set(SetConfig(path=str(folder), **options))
    return {
        split: {images.items[i].instruction for i in list_places(images, split)}
        for split in ("train", "test")
    }


@pytest.mark.parametrize("place", ["ep_{}/rgb.png", "{}.png", "{}/0.bmp"])
def test_images_are_held_out_whatever_their_files_are_called(place, tmp_path):
    sides = list_sides(
        write_copies(tmp_path, [(n, place.format(n)) for n in range(100)])
    )
    assert len(sides["train"]) + len(sides["test"]) == 100
    assert 2 <= len(sides["test"]) <= 25


def test_all_copies_of_an_image_are_on_one_side(tmp_path):
    several = [(n, f"images/{8 * n + k:06d}.png") for n in range(80) for k in range(8)]
    sides = list_sides(write_copies(tmp_path / "several", several))
    assert sides["test"] and not sides["train"] & sides["test"]
    moved = [(n, f"elsewhere/{n}/rgb.png") for n in range(80)]
    assert list_sides(write_copies(tmp_path / "moved", moved)) == sides
    half = list_sides(tmp_path / "several", fraction=0.5)
    assert all(half[split] <= sides[split] for split in sides)


def test_parts_of_a_set_are_those_that_it_names(tmp_path):
    write(tmp_path / "set", 5, split="test")
    images = open_set(SetConfig(path=str(tmp_path / "set")))
    assert len(list_places(images, "test")) == 5
    with pytest.raises(ValueError, match="split=train: none of 5"):
        PictureSource(images=images, split="train")


def test_of_a_set_that_is_all_for_training_a_part_is_held_out(folder, tmp_path):
    write(tmp_path / "set", 60, split="train")
    images = open_set(SetConfig(path=str(tmp_path / "set")))
    unsaid = open_set(SetConfig(path=str(folder)))
    for split in ("train", "test"):
        assert [*list_places(images, split)] == [*list_places(unsaid, split)]


def test_the_training_part_of_a_set_with_tests_is_never_measured(tmp_path):
    rows = write(tmp_path / "set", 20, split="train") / "items.jsonl"
    lines = rows.read_text().splitlines(keepends=True)
    lines[0] = lines[0].replace('"split": "train"', '"split": "test"')
    rows.write_text("".join(lines))
    images = open_set(SetConfig(path=str(tmp_path / "set"), split="train"))
    assert len(list_places(images, "train")) == 19
    with pytest.raises(ValueError, match="split=test: none of 19"):
        PictureSource(images=images, split="test")
    source = PictureSource(images=images)
    with pytest.raises(ValueError, match="none of 19 .* is held out .*: n=0 leaves"):
        replace(JOB, source=source, mix=PAPER)
    assert replace(JOB, source=source, mix=PAPER, n=0).source is source


def test_nothing_learns_from_what_is_measured(source):
    assert replace(JOB, source=source, mix=PAPER).n
    with pytest.raises(ValueError, match=r"split=test: .* nothing may learn from them"):
        replace(JOB, source=replace(source, split="test"), mix=PAPER)


def test_an_image_is_measured_once_however_many_are_wanted(source):
    exam = Exam(source=source.held_out(), n=400)
    assert sorted(exam.list_seeds()) == list_places(source.images, "test").tolist()


def test_an_image_comes_again_only_when_all_have_come(source):
    count = len(list_places(source.images, "train"))
    seeds = source.choose_seeds(2 * count, 3, 1)
    items = [source.choose(seed).item for seed in seeds]
    assert sorted(items[:count]) == sorted(items[count:]) == sorted({*items})
    assert seeds == source.choose_seeds(2 * count, 3, 1)
    assert seeds != source.choose_seeds(2 * count, 3, 2)


def test_an_image_that_comes_again_is_answered_anew(tmp_path):
    images = open_set(SetConfig(path=str(write(tmp_path / "set", 2, split="test"))))
    source = PictureSource(images=images, split="test")
    with Workers(0) as workers:
        [pictures] = workers.make_scenes(source, [source.choose_seeds(4, 0, 1)])
    vlm = policy.load("tiny", device="cpu")
    config = replace(JOB.rollout, max_new_tokens=24)
    said = {s.place: s for s in answer_by_sampling(vlm, config, (0, 1))(pictures)}
    told = {
        place: [completion.token_ids for completion in one.completions]
        for place, one in said.items()
    }
    names = [picture.config.item for picture in pictures]
    assert sorted(names[:2]) == sorted(names[2:])
    for first, again in ((p, 2 + names[2:].index(names[p])) for p in range(2)):
        assert np.array_equal(
            pictures[first].observation.image, pictures[again].observation.image
        )
        assert told[first] != told[again]


HEIGHTS = [[0.2, 0.3, 0.05], [0.3, 0.2, 0.1], [0.4, 0.1, 0.15]]


def write_heights(folder: Path, paths: list[list[list[float]]]) -> Path:
    """A set of which each image has the path that is given."""
    file = write(folder, len(paths), split="test") / "items.jsonl"
    rows = [json.loads(line) for line in file.open()]
    lines = [
        json.dumps(row | {"waypoints": path}) + "\n"
        for row, path in zip(rows, paths, strict=True)
    ]
    file.write_text("".join(lines))
    return folder


def test_heights_are_asked_for_and_taught_where_they_are_wanted(tmp_path):
    folder = write_heights(tmp_path / "set", [HEIGHTS] * 3)
    source = PictureSource(images=open_set(SetConfig(path=str(folder))), split="test")
    for waypoints, axes in (("2d", 2), ("3d", 3)):
        picture = replace(source, waypoints=waypoints).prepare(0)()
        assert picture.observation.waypoints == waypoints
        path = np.array(HEIGHTS)[:, :axes]
        assert np.array_equal(picture.reference.waypoints, path)


def test_heights_that_items_lack_are_not_asked_for(tmp_path):
    flat = [point[:2] for point in HEIGHTS]
    folder = write_heights(tmp_path / "set", [HEIGHTS, flat, flat])
    source = PictureSource(images=open_set(SetConfig(path=str(folder))), split="test")
    with pytest.raises(ValueError, match=r"3d: 2 of 3 .* first is items.jsonl 1: use"):
        replace(source, waypoints="3d")
    with pytest.raises(ValueError, match="asks for no waypoints"):
        replace(source, waypoints="3d", answer="affordance")


def test_answers_are_compared_and_not_executed(source):
    with Workers(0) as workers:
        seeds = source.choose_seeds(4, 0)
        [pictures] = workers.make_scenes(source, [seeds])
        groups = play(
            answer_scripted(BASELINES["expert"]),
            pictures,
            Referee(workers=workers, mix=PAPER),
        )
    for picture, group, seed in zip(pictures, groups, seeds, strict=True):
        item = source.images.items[seed]
        assert picture.instruction == item.instruction and picture.seed == seed
        [rollout] = group.rollouts
        assert rollout.outcome is None and rollout.succeeded
        assert rollout.reward.total > 0.99  # rounded to a thousandth of the image
        assert picture.reference.box == item.box


def test_a_figure_of_every_answer_is_measured(source):
    exam = Exam(source=source.held_out(), n=5)
    with Workers(0) as workers:
        found = {
            name: evaluate(answer_scripted(of), exam, Referee(workers=workers))[0]
            for name, of in BASELINES.items()
        }
    assert found["expert"].figures["iou"].mean > 97
    assert (
        found["null"].figures["iou"].mean
        == 0
        == found["wrong_target"].figures["iou"].mean
    )
    assert "success" not in found["expert"].figures


@pytest.mark.parametrize("answer", ["affordance", "trajectory"])
def test_a_part_is_asked_of_items_that_have_no_other(answer, folder, tmp_path):
    rows = [json.loads(line) for line in (folder / "items.jsonl").open()]
    lost = "waypoints" if answer == "affordance" else "box"
    lines = [json.dumps({k: v for k, v in row.items() if k != lost}) for row in rows]
    file = folder / f"{answer}.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines))
    source = PictureSource(
        images=open_set(SetConfig(path=str(file)), answer), answer=answer
    )
    with Workers(0) as workers:
        [pictures] = workers.make_scenes(source, [source.choose_seeds(2, 0)])
        groups = play(
            answer_scripted(lambda p: format_answer(p.reference.to_answer(answer))),
            pictures,
            Referee(workers=workers, mix=PAPER),
        )
    for group in groups:
        assert group.rollouts[0].reward.total > 0.98
        assert len([*film(group.rollouts[0])]) > 10
        assert draw_tile(group.rollouts[0]).shape == (344, 288, 3)


def test_an_image_that_cannot_be_decoded_gives_way_to_the_next(tmp_path):
    folder = write(tmp_path / "set", 12, split="test", broken=(3, 4))
    images = open_set(SetConfig(path=str(folder)))
    source = PictureSource(images=images, split="test")
    assert source.prepare(3)().config.item.endswith(" 5")
    assert source.prepare(11)().config.item.endswith(" 11")


def test_an_exam_puts_aside_what_cannot_be_decoded(tmp_path):
    broken = range(1, 11)  # of which eight in a row are too many in training
    folder = write(tmp_path / "set", 12, split="test", broken=(*broken,))
    images = open_set(SetConfig(path=str(folder)))
    exam = Exam(source=PictureSource(images=images, split="test"), n=12)
    seen = []
    with Workers(0) as workers:
        found, _ = evaluate(
            answer_scripted(BASELINES["expert"]),
            exam,
            Referee(workers=workers),
            on_episode=lambda episode: seen.append(episode[0].scene.config.item),
        )
    assert found.n == 2 and sorted(seen) == ["items.jsonl 0", "items.jsonl 11"]
    assert all(one.what == "read" for one in workers.aside)
    aside = {one.scene.item for one in workers.aside}
    assert aside == {f"items.jsonl {number}" for number in broken}


def test_what_is_sent_to_a_process_is_an_image_and_not_the_set(source):
    assert len(pickle.dumps(source.prepare(source.choose_seeds(1, 0)[0]))) < 20_000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.check_turns(2), "has one turn"),
        (lambda s: s.check_frozen(), "a suite is of scenes"),
        (
            lambda s: s.check_mix(RewardMix(weights={"success": 1.0})),
            "use reward=paper",
        ),
        (lambda s: replace(s, answer="box"), "plan, affordance, trajectory"),
    ],
)
def test_what_images_cannot_give_is_refused(call, message, source):
    with pytest.raises(ValueError, match=message):
        call(source)


def test_the_trainer_does_not_know_the_difference(source, tmp_path):
    job = replace(JOB, source=source, mix=PAPER, steps=2, n=2, checkpoint_every=2)
    run = execute(tmp_path / "run", job)
    rows = read_log(run.path, "rollouts.jsonl")
    assert len(rows) == 2 * 6 and {row["env"] for row in rows} == {NAME}
    assert all(row["reason"] is None and not row["success"] for row in rows)
    learned = {row["scene"]["item"] for row in rows}
    summary = run.read_json("summary.json")
    assert summary["after"]["split"] == "test" and summary["after"]["n"] == 2
    assert "iou" in summary["after"] and "success" not in summary["after"]
    held_out = {
        row["scene"]["item"] for row in read_log(run.path, "evaluations/after.jsonl")
    }
    assert held_out and not learned & held_out


def test_a_box_is_all_that_a_box_is_compared_with(source):
    reference = source.prepare(source.choose_seeds(1, 0)[0])().reference
    assert isinstance(reference.to_answer("affordance"), Affordance)


TEN = {reason: item for reason, item in BROKEN.items() if reason != "point_outside"}


def test_a_set_of_which_two_in_a_hundred_are_broken_trains(tmp_path, monkeypatch):
    folder = write(tmp_path / "set", 49)
    whole = (folder / "images" / "0.png").read_bytes()
    (folder / "images" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "images" / "text.png").write_text("no image at all")
    rows = [json.loads(line) for line in (folder / "items.jsonl").open()]
    every = rows * 10  # an image may have many items
    for number, change in enumerate(TEN.values()):
        every.insert(47 * number, rows[number] | change)
    assert len(every) == 500
    lines = "".join(json.dumps(row) + "\n" for row in every)
    (folder / "items.jsonl").write_text(lines)
    monkeypatch.chdir(tmp_path)
    small = ("steps=1", "n=0", "videos=0", "rollout.prompts=2", "log=[]", "quiet=true")
    few = ("rollout.num_generations=2", "rollout.workers=0", "algo.bf16=false")
    where = ("env=offline", "data.path=set", "run_dir=run")
    assert call("train", *where, *small, *few) == ""
    broken = read_log(tmp_path / "run", "broken_items.jsonl")
    assert sorted(row["reason"] for row in broken) == sorted(TEN)
    assert len(read_log(tmp_path / "run", "rollouts.jsonl")) == 4
