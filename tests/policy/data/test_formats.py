"""What is exported in a published layout comes back as it was; layouts by hand load."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
from files import paint
from PIL import Image

import envs
from envs.records import NO_BOX, Reference
from policy.data.formats import umd
from policy.data.images import load_image
from policy.data.records import Annotation, BrokenItem, Sample
from policy.data.sets import FORMATS, SetConfig, open_set
from policy.export.annotate import annotate_take
from policy.export.takes import Take
from rewards import RewardMix, score

GIVES = {
    "graspo": ("plan", "affordance", "trajectory"),
    "sharerobot": ("affordance", "trajectory"),
    "sharerobot_bench": ("affordance", "trajectory"),
    "umd": ("affordance",),
    "vabench": ("affordance", "trajectory"),
    "masks": ("affordance",),
    "llarva": ("trajectory",),
}
ASKED = [(name, answer) for name, answers in GIVES.items() for answer in answers]
NAMES = ("pick_mug", "press_button", "use_tool")
PAPER = RewardMix(weights={"affordance": 1.0, "path_frechet": 1.0, "endpoint": 1.0})


@pytest.fixture(scope="module")
def scenes() -> list[envs.Scene]:
    return [envs.make_scene(name, seed=5, verify=False) for name in NAMES]


@dataclass(frozen=True)
class Live:
    """What a live scene knows of an item that was exported from it."""

    reference: Reference
    instruction: str
    image: np.ndarray | None  # only of a few


@dataclass(frozen=True)
class Exported:
    """The same scenes written in every format."""

    folder: Path
    live: list[Live]


def keep(count: int, live: list[Live]) -> Iterator[Sample]:
    """Yields samples of so many scenes, of all kinds, and keeps what they know."""
    names = envs.list_scenes() if count > len(NAMES) else NAMES
    for number in range(count):
        seed = 5 + number // len(names)
        scene = envs.make_scene(names[number % len(names)], seed=seed, verify=False)
        plan = scene.reference.to_plan()
        take = Take(scene=scene, text="", answer=plan, instruction=scene.instruction)
        image = scene.observation.image if number < 20 else None
        live.append(Live(scene.reference, scene.instruction, image))
        yield annotate_take(take, expert=True)


@pytest.fixture(
    scope="module", params=[len(NAMES), pytest.param(1000, marks=pytest.mark.slow)]
)
def exported(request, tmp_path_factory) -> Exported:
    folder, live = tmp_path_factory.mktemp("sets"), []
    samples = [*keep(request.param, live)]
    for name, module in FORMATS.items():
        (folder / name).mkdir()
        assert module.write(iter(samples), folder / name) == len(samples)
    return Exported(folder=folder, live=live)


def load(path: Path, name: str, answer: str, **options) -> list[Annotation]:
    config = SetConfig(path=str(path), format=name, **options)
    return [*open_set(config, answer).items]


def read_reference(item: Annotation) -> Reference:
    path = () if item.waypoints is None else tuple(map(tuple, item.waypoints.tolist()))
    return Reference(box=item.box or NO_BOX, waypoints=path)


def in_order(name: str, items: list[Annotation]) -> list[Annotation]:
    """UMD's tools are read by name; a number in it tells which sample one was."""
    return (
        sorted(items, key=lambda i: int(i.name.rsplit("_", 2)[1]))
        if name == "umd"
        else items
    )


@pytest.mark.parametrize(("name", "answer"), ASKED)
def test_exported_items_have_the_references_and_rewards_of_their_scenes(
    name, answer, exported
):
    items = in_order(name, load(exported.folder / name, name, answer))
    assert len(items) == len(exported.live)
    for item, scene in zip(items, exported.live, strict=True):
        told, true = read_reference(item), scene.reference
        assert told.box == NO_BOX or np.allclose(told.box, true.box, atol=1e-12)
        if told.waypoints:
            path = np.array(true.waypoints)[:, :2]
            assert np.allclose(np.array(told.waypoints)[:, :2], path, atol=1e-12)
        moved = Reference(**vars_of(true.to_plan().move(0.03, -0.02)))
        guess = moved.to_answer(answer)
        ours, live = (score(guess, r, None, PAPER).total for r in (told, true))
        assert 0 < live < 1 and abs(ours - live) < 1e-6
        if name != "umd":  # which has no instructions
            assert item.instruction == scene.instruction
        if scene.image is not None:
            pixels = load_image(item.image).astype(float)
            slack = 8 if name == "umd" else 0  # which has JPEG images
            assert np.abs(pixels - scene.image).mean() <= slack


def vars_of(plan) -> dict:
    return {"box": plan.box, "waypoints": plan.waypoints}


def test_heights_come_back_in_our_own_format(tmp_path):
    scene = envs.make_scene("pick_mug", seed=5, verify=False, waypoints="3d")
    plan = scene.reference.to_plan()
    take = Take(scene=scene, text="", answer=plan, instruction=scene.instruction)
    FORMATS["graspo"].write(iter([annotate_take(take, expert=True)]), tmp_path)
    [item] = load(tmp_path, "graspo", "plan")
    assert np.array_equal(item.waypoints, plan.waypoints)
    assert item.waypoints.shape[1] == 3


def test_what_a_policy_answered_is_written_as_it_was(scenes, tmp_path):
    plan = scenes[0].reference.to_plan().move(0.1, 0.05)
    take = Take(scene=scenes[0], text="", answer=plan, instruction="lift it")
    for name in ("graspo", "masks"):
        (tmp_path / name).mkdir()
        FORMATS[name].write(iter([annotate_take(take)]), tmp_path / name)
        [item] = load(tmp_path / name, name, "affordance")
        assert np.allclose(
            item.box, plan.box, atol=1.01 / 224 if name == "masks" else 0
        )


def test_where_answers_have_to_succeed_a_miss_is_its_reason_alone(scenes):
    plan = scenes[0].reference.to_plan()
    take = Take(scene=scenes[0], text="", answer=plan, instruction="lift it")
    assert isinstance(annotate_take(take, executed=True), Sample)
    beside = replace(take, answer=plan.move(0.1, 0.05))
    assert annotate_take(beside, executed=True) == "not_by_part"


def test_sharerobot_as_its_readme_shows_it(tmp_path):
    about = {
        "original_dataset": "bridge",
        "original_width": 640,
        "original_height": 480,
    }
    box = {
        "id": 2486,
        "meta_data": about,
        "instruction": "place the red fork to the left of the left burner",
        "affordance": {"x": 352.0, "y": 186.0, "width": 32.0, "height": 24.0},
    }
    path = {
        "id": "rtx/456.png",
        "meta_data": about,
        "instruction": "reach for the carrot",
        "points": [[265.45, 120.0], [275.15, 162.42], [280.0, 259.39]],
    }
    for part, row in (("affordance", box), ("trajectory", path)):
        (tmp_path / part).mkdir()
        (tmp_path / part / f"{part}.json").write_text(json.dumps([row], indent=4))
    paint(tmp_path / "affordance" / "images" / "2486.jpg", 640, 480)
    paint(tmp_path / "trajectory" / "rtx" / "456.png", 640, 480)
    [item] = load(tmp_path, "sharerobot", "affordance")
    assert item.box == (352 / 640, 186 / 480, 384 / 640, 210 / 480)
    assert item.category == "bridge" and item.instruction.startswith("place the red")
    [item] = load(
        tmp_path / "trajectory" / "trajectory.json", "sharerobot", "trajectory"
    )
    assert np.allclose(item.waypoints[0], (265.45 / 640, 120 / 480))


@pytest.mark.parametrize("scale", [1.0, 64.0])
def test_sharerobot_bench_in_pixels_and_in_fractions(scale, tmp_path):
    asked = '<image>You are a robot using the joint control. The task is "pick it up". '
    box = [0.25 * scale, 0.25 * scale, 0.5 * scale, 0.75 * scale]
    rows = {
        "affordance": ("a.png", f"{asked}Please predict a box.", str(box)),
        "trajectory": (
            ["a.png"],
            f"{asked}Please predict up to 10 points.",
            str([box[:2], box[2:]]),
        ),
    }
    for part, (image, question, answer) in rows.items():
        paint(tmp_path / part / "a.png", 64, 64)
        turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
        row = {"id": 1, "image": image, "conversations": turns}
        (tmp_path / part / "test.json").write_text(json.dumps([row]))
    [item] = load(tmp_path, "sharerobot_bench", "affordance")
    assert item.box == (0.25, 0.25, 0.5, 0.75) and item.instruction == "pick it up"
    [item] = load(tmp_path, "sharerobot_bench", "trajectory")
    assert item.waypoints.tolist() == [[0.25, 0.25], [0.5, 0.75]]


def test_umd_has_an_item_for_each_use_in_a_labelled_frame(tmp_path):
    uses = np.zeros((480, 640), np.uint8)
    uses[100:120, 200:260], uses[110:300, 300:310] = 1, 5
    for frame in (1, 3):
        stem = tmp_path / "tools" / "hammer_02" / f"hammer_02_{frame:08d}"
        paint(stem.with_name(f"{stem.name}_rgb.jpg"), 640, 480)
    scipy.io.savemat(str(stem) + "_label.mat", {"gt_label": uses})
    (tmp_path / "category_split.txt").write_text("1 hammer_02\n2 saw_01\n")
    (tmp_path / "novel_split.txt").write_text("2 hammer_02\n")
    items = load(tmp_path, "umd", "affordance")
    assert [i.instruction for i in items] == [
        "grasp the hammer",
        "pound with the hammer",
    ]
    assert items[0].box == (200 / 640, 100 / 480, 260 / 640, 120 / 480)
    assert {i.split for i in items} == {"train"}
    [item] = load(tmp_path, "umd", "affordance", without=["grasp"])
    assert item.category == "pound"
    by_novelty = load(tmp_path / "novel_split.txt", "umd", "affordance")
    assert {i.split for i in by_novelty} == {"test"}


def _flip(content: bytes) -> bytes:
    """With another checksum of the compressed part."""
    return content[:-2] + bytes([content[-2] ^ 255]) + content[-1:]


@pytest.mark.parametrize(
    "damage", [lambda c: c[:150], lambda c: c[:200], _flip, lambda c: b"no matrix"]
)
def test_a_damaged_label_of_umd_is_one_broken_item(damage, tmp_path):
    folder = tmp_path / "tools" / "mug_01"
    folder.mkdir(parents=True)
    path = folder / "mug_01_00000001_label.mat"
    label = {"gt_label": np.eye(48, dtype=np.uint8)}
    scipy.io.savemat(str(path), label, do_compression=True)
    path.write_bytes(damage(path.read_bytes()))
    [found] = umd.read(tmp_path)
    assert isinstance(found, BrokenItem)


@pytest.mark.parametrize("label", [np.ones((2, 2, 2)), "text", {"a": 1}])
def test_a_label_that_is_no_picture_is_one_broken_item(label, tmp_path):
    folder = tmp_path / "mug_01"
    folder.mkdir()
    path = folder / "mug_01_00000001_label.mat"
    scipy.io.savemat(str(path), {"gt_label": label})
    assert all(isinstance(found, BrokenItem) for found in umd.read(tmp_path))


def test_vabench_as_embodied_r1_reads_it(tmp_path):
    png = paint(tmp_path / "a.png").read_bytes()
    task = "<image> You are a robot. The task instruction is: open it. Use points."
    rows = [
        {
            "id": "v",
            "problem": task,
            "images": [png],
            "answer": '<type>trace</type>{"trajectory": [[16, 12], [32, 24]]}',
        },
        {
            "id": "p",
            "problem": task,
            "images": [png],
            "answer": '<type>point</type>{"bbox": [16, 12, 32, 24], "points": []}',
        },
    ]
    pq.write_table(
        pa.Table.from_pylist(rows), tmp_path / "test.parquet", row_group_size=1
    )
    [item] = load(tmp_path, "vabench", "trajectory")
    assert item.waypoints.tolist() == [[0.25, 0.25], [0.5, 0.5]]
    assert item.instruction == "open it"
    [item] = load(tmp_path, "vabench", "affordance")
    assert item.box == (0.25, 0.25, 0.5, 0.5)
    assert load_image(item.image).shape == (48, 64, 3)


def test_masks_in_folders_and_in_parquet(tmp_path):
    mask = np.zeros((48, 64), np.uint8)
    mask[12:24, 16:32] = 255
    place = tmp_path / "Placement"
    paint(place / "image" / "1.png")
    (place / "mask").mkdir()
    Image.fromarray(mask).save(place / "mask" / "1.png")
    row = {
        "id": 1,
        "object": "the free area",
        "prompt": "Please point out the free area left of the cup.",
        "suffix": "Answer with points.",
        "rgb_path": "image/1.png",
        "mask_path": "mask/1.png",
        "category": "placement",
        "step": 2,
    }
    (place / "question.json").write_text(json.dumps([row]))
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "png")
    cells = {
        "question": "Point at the free area.",
        "question_type": "where",
        "image": {"bytes": (place / "image" / "1.png").read_bytes(), "path": None},
        "mask": {"bytes": buffer.getvalue(), "path": None},
    }
    pq.write_table(pa.Table.from_pylist([cells]), tmp_path / "test.parquet")
    items = load(tmp_path, "masks", "affordance")
    assert [item.box for item in items] == [(0.25, 0.25, 0.5, 0.5)] * 2
    assert {item.category for item in items} == {"placement", "where"}
    assert all(load_image(item.image).shape == (48, 64, 3) for item in items)


@pytest.mark.parametrize("name", ["vabench", "masks"])
def test_a_table_without_images_is_named_by_its_column(name, tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"problem": ["lift"], "answer": ['{"bbox": [1]}']}), path)
    with pytest.raises(ValueError, match=r"a\.parquet: no column image"):
        list(FORMATS[name].read(tmp_path))
    path.write_text("no table")
    with pytest.raises(ValueError, match=r"a\.parquet is not a parquet file"):
        list(FORMATS[name].read(tmp_path))


def test_llarva_keeps_the_trace_and_not_the_action(tmp_path):
    paint(tmp_path / "images" / "ep" / "0.png")
    asked = (
        '<image>\nYou are a Franka robot using the joint control. The task is "sweep", '
        "and the previous five (including current) steps are [[0, 0], [1, 1]]. Can you "
        "predict the 2D visual trace of the end effector and the action?"
    )
    said = (
        "The next action step: [0.1, -0.2, 0, 0, 0, 0, 0, 1]. "
        "The trace: [[16, 12], [32, 24]]"
    )
    turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": said}]
    row = {"id": 0, "image": "ep/0.png", "conversations": turns}
    (tmp_path / "train.json").write_text(json.dumps([row]))
    [item] = load(tmp_path, "llarva", "trajectory")
    assert item.instruction == "sweep"
    assert item.waypoints.tolist() == [[0.25, 0.25], [0.5, 0.5]]
