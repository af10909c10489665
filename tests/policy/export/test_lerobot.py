"""A LeRobot data set holds what was executed: read back without LeRobot's own code."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import envs
from envs.execution.execute import replay
from envs.execution.physics import play
from envs.records import Affordance, ParseFailure
from envs.sampling.asking import ask
from envs.video.motion import FPS, STEPS
from policy.export.episode import Episode, record_take
from policy.export.lerobot import writer as lerobot
from policy.export.lerobot.features import CAMERA_KEY
from policy.export.lerobot.stats import count_levels, summarize, summarize_levels
from policy.export.lerobot.writer import LeRobotWriter
from policy.export.takes import Take
from policy.rollout.workers import Workers
from rewards import RewardMix

MIX = RewardMix(weights={"success": 1.0, "affordance": 0.5})
NAMES = ("pick_mug", "press_button", "fold_cloth")


class Reader:
    """The least that reads a LeRobot data set of version 3.0."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = json.loads((folder / "meta" / "info.json").read_text())
        self.stats = json.loads((folder / "meta" / "stats.json").read_text())
        table = pq.read_table(folder / "meta" / "tasks.parquet").to_pandas()
        self.tasks = dict(zip(table["task_index"], table.index))
        path = folder / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
        self.episodes = pq.read_table(path).to_pylist()

    def read_frames(self, episode: dict[str, Any]) -> list[dict[str, Any]]:
        place = {
            f"{name}_index": episode[f"data/{name}_index"] for name in ("chunk", "file")
        }
        rows = pq.read_table(self.folder / self.info["data_path"].format(**place))
        number = episode["episode_index"]
        return [row for row in rows.to_pylist() if row["episode_index"] == number]

    def read_images(self, episode: dict[str, Any]) -> list[np.ndarray]:
        key = f"videos/{CAMERA_KEY}"
        place = {
            f"{name}_index": episode[f"{key}/{name}_index"]
            for name in ("chunk", "file")
        }
        path = self.info["video_path"].format(video_key=CAMERA_KEY, **place)
        frames = [*imageio.get_reader(self.folder / path).iter_data()]
        first, last = (
            round(FPS * episode[f"{key}/{end}_timestamp"]) for end in ("from", "to")
        )
        return [np.asarray(frame) for frame in frames[first:last]]


def take(name: str, seed: int = 1) -> Take:
    scene = envs.make_scene(name, "test", seed)
    assert scene.reference is not None
    return Take(
        scene=scene,
        text=f"the answer to {name}",
        answer=scene.reference.to_plan(),
        instruction=scene.instruction,
    )


@pytest.fixture(scope="module")
def takes() -> list[Take]:
    return [take(name) for name in NAMES]


@pytest.fixture(scope="module")
def episodes(takes: list[Take]) -> list[Episode]:
    with Workers(0) as workers:
        found = [*workers.stream(partial(record_take, mix=MIX), takes)]
    assert all(isinstance(episode, Episode) for episode in found)
    return found  # type: ignore[return-value]


def write(episodes: list[Episode], folder: Path, lossless: bool = False) -> Reader:
    with LeRobotWriter(folder, lossless) as writer:
        for episode in episodes:
            writer.add(episode)
        writer.finish("a command")
    return Reader(folder)


@pytest.fixture(scope="module")
def written(
    episodes: list[Episode], tmp_path_factory: pytest.TempPathFactory
) -> Reader:
    with pytest.MonkeyPatch.context() as patch:
        # So that the first two share a file and the third opens the next.
        patch.setattr(lerobot, "FILE_FRAMES", sum(len(e.state) for e in episodes[:2]))
        return write(episodes, tmp_path_factory.mktemp("set"))


def test_actions_and_states_are_those_that_the_simulator_played(takes, written):
    for one, row in zip(takes, written.episodes, strict=True):
        outcome, playback = replay(one.scene, one.answer)
        frames = [f for f in written.read_frames(row) if f["simulated"]]
        control = playback.motion.control
        assert len(frames) == math.ceil(len(control) / STEPS) + 1
        for k, frame in enumerate(frames[:-1]):
            due = control[min((k + 1) * STEPS, len(control)) - 1]
            assert np.array_equal(frame["action"], due.astype(np.float32))
            arm = playback.frames[k * STEPS - 1] if k else playback.motion.start
            assert np.array_equal(frame["observation.state"][:7], np.float32(arm[:7]))
            width = np.float32(arm[7:9].mean())
            assert frame["observation.state"][7] == width
        last = playback.frames[-1, :7].astype(np.float32)
        assert np.array_equal(frames[-1]["observation.state"][:7], last)
        assert frames[-1]["next.success"] == outcome.success is True


def test_sending_the_actions_again_has_the_same_outcome(takes, written):
    """25 targets a second, straight from each to the next, are enough to repeat it."""
    one, row = takes[0], written.episodes[0]
    frames = [f for f in written.read_frames(row) if f["simulated"]][:-1]
    _, playback = replay(one.scene, one.answer)
    motion = playback.motion
    due = [motion.control[0], *(np.array(f["action"], float) for f in frames)]
    at = np.arange(1, len(motion.control) + 1) / STEPS
    control = np.stack(
        [np.interp(at, np.arange(len(due)), column) for column in zip(*due)], axis=1
    )
    again = next(play(one.scene.state, [replace(motion, control=control)], 1, True))
    assert np.abs(again.frames - playback.frames)[-1].max() < 2e-3  # m and rad


def test_an_episode_begins_as_the_policy_saw_it_and_ends_with_its_reward(
    takes, episodes, written
):
    for one, episode, row in zip(takes, episodes, written.episodes, strict=True):
        frames = written.read_frames(row)
        assert np.array_equal(episode.images[0], one.scene.observation.image)
        assert {written.tasks[f["task_index"]] for f in frames} == {one.instruction}
        assert row["tasks"] == [one.instruction]
        assert [f["next.done"] for f in frames] == [False] * (len(frames) - 1) + [True]
        assert frames[-1]["next.reward"] == np.float32(episode.reward) > 0.9
        assert not any(f["next.reward"] for f in frames[:-1])
        config = json.loads(row["graspo/scene"])
        again = envs.sample_scene(envs.SceneConfig(**config))
        assert np.array_equal(again.observation.image, one.scene.observation.image)


def test_the_arm_goes_from_home_without_a_jump(written):
    for row in written.episodes:
        state = np.array([f["observation.state"] for f in written.read_frames(row)])
        assert np.abs(np.diff(state[:, :7], axis=0)).max() * FPS < 2.6  # rad/s


def test_images_of_the_video_are_those_that_were_rendered(episodes, written):
    """Within 3 of 255 on average, and nearer to their own frame than to its neighbours.

    Averages were 1.6 over a film and 2.1 in one frame. Single pixels differ by up to
    210, so that they say little.
    """
    for episode, row in zip(episodes, written.episodes, strict=True):
        images = written.read_images(row)
        assert len(images) == len(episode.images) == row["length"]
        for image, rendered in zip(images, episode.images, strict=True):
            assert np.abs(image - rendered.astype(float)).mean() < 3
    found = written.read_images(written.episodes[0])
    rendered = episodes[0].images.astype(float)
    for k in range(1, len(found) - 1):
        near = [np.abs(found[k] - rendered[i]).mean() for i in (k - 1, k, k + 1)]
        assert near[1] <= min(near) + 0.1  # where nothing moves, all are alike


def test_lossless_images_are_those_that_were_rendered(episodes, tmp_path):
    reader = write(episodes[:1], tmp_path / "exact", lossless=True)
    assert reader.info["video_path"] is None
    frames = reader.read_frames(reader.episodes[0])
    for frame, rendered in zip(frames, episodes[0].images, strict=True):
        image = Image.open(io.BytesIO(frame[CAMERA_KEY]["bytes"]))
        assert np.array_equal(np.array(image), rendered)


def test_frames_are_counted_through_all_files(written):
    info, rows = written.info, written.episodes
    frames = [frame for row in rows for frame in written.read_frames(row)]
    assert [row["data/file_index"] for row in rows] == [0, 0, 1]
    assert [f["index"] for f in frames] == [*range(info["total_frames"])]
    assert [row["dataset_to_index"] for row in rows[:-1]] == [
        row["dataset_from_index"] for row in rows[1:]
    ]
    assert rows[-1]["dataset_to_index"] == info["total_frames"]
    assert info["total_episodes"] == len(rows) == 3
    assert info["total_tasks"] == len(written.tasks)
    for row in rows:
        times = [frame["timestamp"] for frame in written.read_frames(row)]
        assert np.allclose(times, np.arange(row["length"]) / info["fps"], atol=1e-6)
    declared = set(info["features"]) - {CAMERA_KEY}
    assert declared == set(frames[0]) == set(written.stats) - {CAMERA_KEY}


def test_statistics_are_those_of_all_frames(episodes, written):
    state = np.concatenate([episode.state for episode in episodes])
    stats = written.stats["observation.state"]
    assert np.allclose(stats["mean"], state.mean(axis=0), atol=1e-6)
    assert np.allclose(stats["q90"], np.quantile(state, 0.9, axis=0), atol=1e-6)
    assert stats["count"] == [len(state)]
    image = {k: np.array(v) for k, v in written.stats[CAMERA_KEY].items()}
    assert image["mean"].shape == (3, 1, 1)
    pixels = np.concatenate([episode.images for episode in episodes])
    for name in ("mean", "min", "max"):
        direct = getattr(pixels, name)(axis=(0, 1, 2)) / 255
        assert np.allclose(image[name].ravel(), direct, atol=1e-9), name


def test_levels_have_the_statistics_of_their_pixels():
    images = np.random.default_rng(0).integers(0, 256, (5, 7, 9, 3)).astype(np.uint8)
    found = summarize_levels(count_levels(images), len(images))
    direct = summarize(images.reshape(-1, 3) / 255)
    for name, value in direct.items():
        if name == "count":
            assert found[name] == 5
        else:  # a quantile may lie between two levels
            slack = 4 / 255 if name.startswith("q") else 1e-12
            assert np.allclose(found[name].ravel(), value, atol=slack), name


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ParseFailure(reason="no_answer"), "no_answer"),
        (Affordance(box=(0.1, 0.1, 0.2, 0.2)), "only a part of a plan"),
    ],
)
def test_what_cannot_be_executed_is_no_episode(takes, answer, reason):
    assert record_take(replace(takes[0], answer=answer), MIX) == reason


def test_an_answer_that_ends_otherwise_than_in_its_run_is_no_episode(takes):
    config = takes[0].scene.config
    remembered = replace(takes[0], scene=config, success=False)
    assert "another outcome" in str(record_take(remembered, MIX))
    episode = record_take(replace(remembered, success=True, instruction="so!"), MIX)
    assert isinstance(episode, Episode)
    assert episode.instruction == "so!" and episode.outcome.success


def test_words_of_another_candidate_are_judged_as_that():
    scene = envs.make_scene("press_button", "test", 1)
    asked = ask(scene, scene.others[0].instruction)
    remembered = Take(
        scene=scene.config,
        text="",
        answer=asked.reference.to_plan(),
        instruction=asked.instruction,
        success=True,
    )
    episode = record_take(remembered, MIX)
    assert isinstance(episode, Episode) and episode.outcome.success


def test_failures_are_episodes_too(takes):
    plan = takes[0].answer
    low = replace(plan, waypoints=(plan.waypoints[0],) * len(plan.waypoints))
    missed = replace(takes[0], answer=low)
    episode = record_take(missed, MIX)
    assert isinstance(episode, Episode) and not episode.outcome.success
    assert record_take(missed, MIX, only_success=True) == episode.outcome.reason
