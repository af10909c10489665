"""The same run on every board, read back by each one's own reader."""

import json
import struct
import time

import numpy as np
import pytest
from files import paint

from policy.training.boards import BOARDS, Picture, Watched, check_boards, flatten
from policy.training.run_dir import RunDir

ROW = {
    "reward": 0.5,
    "loss": float("nan"),
    "note": "words",
    "intervals": {"success": [0.1, 0.2]},
    "timing": {"step_s": 2.0, "sample": {"decode_s": 1.5}},
}
NAMES = {"reward", "timing/step_s", "timing/sample/decode_s"}
WORDS = "lift the red mug\nsuccess\n<script>alert(1)</script> `x` | # no title"


def write(board, path, done, steps):
    """What a run of some steps, or the rest of one, shows."""
    config = {"seed": 7, "algo": {"beta": 0.25}, "shifts": ["camera"], "out": None}
    shown = BOARDS[board](Watched(path=path, config=config, done=done))
    for step in steps:
        shown.plot(flatten(ROW | {"reward": step / 2}), step)
    image = np.full((16, 16, 3), 200, np.uint8)
    shown.plot(flatten({"success": 0.75}, "after/"), steps[-1])
    shown.show("after", [Picture(image=image, words=WORDS)], steps[-1])
    shown.close()


def test_numbers_are_named_by_their_way_down_and_what_is_none_is_left_out():
    assert flatten(ROW).keys() == NAMES
    assert flatten(ROW, "before/").keys() == {f"before/{name}" for name in NAMES}


@pytest.mark.parametrize("done", [0, 1])
def test_tensorboard_has_curves_pictures_words_and_settings(done, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write("tensorboard", tmp_path, 0, [1, 2, 3])
    time.sleep(1.1)  # files are read in the order of their names, which tell seconds
    # Killed, and gone on from step 1, or before there was a checkpoint from the start.
    write("tensorboard", tmp_path, done, [1, 2, 3][done:])
    found = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    found.Reload()
    assert set(found.Tags()["scalars"]) == NAMES | {"after/success"}
    curve = [(point.step, point.value) for point in found.Scalars("reward")]
    assert curve == [(1, 0.5), (2, 1.0), (3, 1.5)]
    assert found.Tags()["images"] == ["after/0"]
    *_, words = found.Tensors("after/0/text_summary")
    text = words.tensor_proto.string_val[0].decode()
    assert text.splitlines() == [f"    {line}" for line in WORDS.splitlines()]
    plugins = found.SummaryMetadata("_hparams_/session_start_info").plugin_data
    assert b"algo.beta" in plugins.content and b"['camera']" in plugins.content


def read_leveldb(path):
    """Yields the records of a log of wandb: LevelDB's format behind seven bytes."""
    data, at, record = path.read_bytes(), 7, b""
    while at < len(data):
        if 32768 - at % 32768 < 7:  # what is left of a block holds no header
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        record += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def test_wandb_has_the_same_names(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    write("wandb", tmp_path, 0, [1, 2])
    wandb.teardown()  # its process writes on for a moment
    (log,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    said = {
        item.key or "/".join(item.nested_key): json.loads(item.value_json)
        for data in read_leveldb(log)
        for item in Record.FromString(data).history.item
    }
    assert said["reward"] == 1.0 and said["after/answers/captions"] == [WORDS]
    shown = {name for name in said if not name.startswith(("_", "after/answers/"))}
    assert shown == NAMES | {"after/success"}


def test_trackio_has_the_same_names(tmp_path, monkeypatch):
    pytest.importorskip("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "kept"))
    from trackio.sqlite_storage import SQLiteStorage

    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path / "kept")
    write("trackio", tmp_path / "run", 0, [1, 2])
    write("trackio", tmp_path / "run", 2, [3, 4])
    name = f"{tmp_path.name}-run"
    assert SQLiteStorage.get_runs("graspo") == [name]
    logs = SQLiteStorage.get_logs("graspo", name)
    names = {key for row in logs for key in row} - {"timestamp", "step"}
    assert names == NAMES | {"after/success", "after/0"}
    assert [row["reward"] for row in logs if "reward" in row] == [0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    ("reason", "failure", "verdict"),
    [
        (None, None, "not executed"),  # an annotated image, and an answer that reads
        (None, "no_box", "no_box"),
        ("nothing_in_box", None, "nothing_in_box"),
    ],
)
def test_an_answer_is_shown_with_what_became_of_it(
    reason, failure, verdict, tmp_path, monkeypatch
):
    shown = []

    class Shelf:
        def __init__(self, run):
            assert run.done == 3

        def plot(self, figures, step):
            pass

        def show(self, name, pictures, step):
            shown.extend(pictures)

    monkeypatch.setitem(BOARDS, "shelf", Shelf)
    run = RunDir(tmp_path)
    run.write_config("seed: 7\n")
    run.open_boards(["shelf"], 3)
    folder = tmp_path / "evaluations"
    paint(folder / "images" / "a.jpg")
    box = None if failure else [0.1, 0.1, 0.4, 0.4]
    row = {"box": box, "waypoints": None, "success": False, "scene": {}, "seed": 0}
    row |= {"reason": reason, "parse_failure": failure, "turn": 1, "image": "a.jpg"}
    row |= {"instruction": "lift it", "text": "an answer"}
    (folder / "after.jsonl").write_text(json.dumps(row) + "\n")
    run.show_evaluation("after", {"n": 1}, 3, 1)
    [picture] = shown
    assert picture.words == f"lift it\n{verdict}\nan answer"


def test_an_unknown_or_a_missing_board_is_one_line(monkeypatch):
    with pytest.raises(ValueError, match="'wanddb'; valid: tensorboard, wandb"):
        check_boards(["tensorboard", "wanddb"])
    monkeypatch.setattr("policy.training.boards.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install wandb"):
        check_boards(["wandb"])
