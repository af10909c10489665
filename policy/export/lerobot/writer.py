"""Writes episodes as a LeRobot data set, one after the other."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from envs.video.motion import FPS
from policy.export.episode import Episode
from policy.export.lerobot.features import (
    CAMERA_KEY,
    COLUMNS,
    DATA_PATH,
    EPISODES_PATH,
    VIDEO_PATH,
    describe_set,
    fill_columns,
)
from policy.export.lerobot.stats import (
    count_levels,
    summarize,
    summarize_levels,
    to_plain,
)
from policy.export.lerobot.tables import build_frames, build_tasks
from policy.export.lerobot.video import VideoWriter

FILE_FRAMES = 5000  # of one file: 20 MB of video, or 250 MB of lossless images
CARD = """---
task_categories: [robotics]
tags: [LeRobot, graspo]
configs:
- config_name: default
  data_files: data/*/*.parquet
---
A data set in LeRobot's format {version}: {episodes} episodes, {frames} frames, made by
Graspo with

    {command}

`action` is where the arm's joints [rad] and half the gripper's opening [m] are sent
until the next frame. Frames with `simulated` false are the way from home to above the
grasp, which touches nothing and is not simulated.
"""


class LeRobotWriter:
    """A data set that grows by episodes; a context manager.

    Args:
        folder: An empty directory.
        lossless: Images as PNG in the parquet files instead of videos.
    """

    def __init__(self, folder: Path, lossless: bool = False) -> None:
        self._folder, self._lossless = folder, lossless
        self._tasks: dict[str, int] = {}
        self._episodes: list[dict[str, Any]] = []
        self._columns: list[dict[str, NDArray[Any]]] = []
        self._levels = np.zeros((3, 256), np.int64)
        self._frames = 0
        self._robot = ""
        self._open: _OpenFile | None = None

    def __enter__(self) -> LeRobotWriter:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the file that is open."""
        if self._open is not None:
            self._open.stack.__exit__(kind, error, trace)

    def add(self, episode: Episode) -> None:
        """Writes an episode's frames and remembers what the tables need.

        Raises:
            ValueError: Another robot moves than in the episodes before.
        """
        self._robot = self._robot or episode.robot
        if episode.robot != self._robot:
            raise ValueError(f"robot {episode.robot!r} in a set of {self._robot!r}")
        file = self._choose_file(len(episode.state))
        task = self._tasks.setdefault(episode.instruction, len(self._tasks))
        columns = fill_columns(episode, len(self._episodes), self._frames, task)
        images = episode.images if self._lossless else None
        file.write(build_frames(columns, images), episode.images)
        levels = count_levels(episode.images)
        stats = {name: summarize(column) for name, column in columns.items()}
        stats[CAMERA_KEY] = summarize_levels(levels, len(episode.images))
        self._episodes.append(self._describe(episode, file, to_plain(stats)))
        self._columns.append(columns)
        self._levels += levels
        self._frames += len(episode.state)
        file.frames += len(episode.state)

    def finish(self, command: str) -> int:
        """Writes the tables of the whole set; returns the number of its episodes."""
        if not self._episodes:
            return 0
        counts = {
            "total_episodes": len(self._episodes),
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
        }
        meta = self._folder / "meta"
        path = self._folder / EPISODES_PATH
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self._episodes), path)
        pq.write_table(build_tasks(list(self._tasks)), meta / "tasks.parquet")
        _write_json(meta / "stats.json", to_plain(self._summarize()))
        info = describe_set(counts, self._lossless, self._robot)
        _write_json(meta / "info.json", info)
        card = CARD.format(
            version=info["codebase_version"],
            episodes=len(self._episodes),
            frames=self._frames,
            command=command,
        )
        (self._folder / "README.md").write_text(card, encoding="utf-8")
        return len(self._episodes)

    def _choose_file(self, frames: int) -> _OpenFile:
        """The file that is open, or the next where the frames do not fit it."""
        file = self._open
        if file is None or (file.frames and file.frames + frames > FILE_FRAMES):
            if file is not None:
                file.stack.close()
            number = 0 if file is None else file.number + 1
            file = self._open = _OpenFile(self._folder, number, self._lossless)
        return file

    def _summarize(self) -> dict[str, dict[str, NDArray[Any]]]:
        stats = {
            name: summarize(np.concatenate([each[name] for each in self._columns]))
            for name in COLUMNS
        }
        return stats | {CAMERA_KEY: summarize_levels(self._levels, self._frames)}

    def _describe(
        self, episode: Episode, file: _OpenFile, stats: dict[str, Any]
    ) -> dict[str, Any]:
        """An episode's row of the table of episodes."""
        count, place = len(episode.state), file.place
        row = {
            "episode_index": len(self._episodes),
            "tasks": [episode.instruction],
            "length": count,
            "dataset_from_index": self._frames,
            "dataset_to_index": self._frames + count,
            **{f"data/{name}": value for name, value in place.items()},
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
            "graspo/scene": json.dumps(episode.scene),
            "graspo/text": episode.text,
            "graspo/success": episode.outcome.success,
            "graspo/reason": episode.outcome.reason,
        }
        if not self._lossless:
            key = f"videos/{CAMERA_KEY}"
            row |= {f"{key}/{name}": value for name, value in place.items()}
            row[f"{key}/from_timestamp"] = file.frames / FPS
            row[f"{key}/to_timestamp"] = (file.frames + count) / FPS
        for column, found in stats.items():
            row |= {f"stats/{column}/{name}": value for name, value in found.items()}
        return row


class _OpenFile:
    """A parquet file and its video, being written.

    Attributes:
        frames: In it so far.
        stack: Closes both.
    """

    def __init__(self, folder: Path, number: int, lossless: bool) -> None:
        self.number, self.frames, self.stack = number, 0, ExitStack()
        self.place = {"chunk_index": number // 1000, "file_index": number % 1000}
        self._path = folder / DATA_PATH.format(**self.place)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer: pq.ParquetWriter | None = None
        self._video: VideoWriter | None = None
        if not lossless:
            path = folder / VIDEO_PATH.format(video_key=CAMERA_KEY, **self.place)
            self._video = self.stack.enter_context(VideoWriter(path))

    def write(self, table: pa.Table, images: NDArray[np.uint8]) -> None:
        """Adds an episode."""
        if self._writer is None:
            opened = pq.ParquetWriter(self._path, table.schema)
            self._writer = self.stack.enter_context(opened)
        self._writer.write_table(table)
        if self._video is not None:
            self._video.write(images)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", "utf-8")
