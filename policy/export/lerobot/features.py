"""What a LeRobot data set of ours says of itself: its columns and its `info.json`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.robot import get_robot
from envs.scene import IMAGE_SIZE
from envs.video.motion import FPS
from policy.export.episode import Episode

VERSION = "v3.0"
CAMERA_KEY = "observation.images.scene"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"


def _describe(dtype: str, names: list[str] | None = None) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [len(names) if names else 1], "names": names}


COLUMNS: dict[str, dict[str, Any]] = {
    "observation.state": _describe("float32"),
    "action": _describe("float32"),
    "next.reward": _describe("float32"),
    "next.success": _describe("bool"),
    "next.done": _describe("bool"),
    "simulated": _describe("bool"),
    "timestamp": _describe("float32"),
    "frame_index": _describe("int64"),
    "episode_index": _describe("int64"),
    "index": _describe("int64"),
    "task_index": _describe("int64"),
}
"""Everything but the image; `list_columns` also names what state and action hold."""


def list_columns(robot: str) -> dict[str, dict[str, Any]]:
    """Returns `COLUMNS` of a robot: its joints, and of `gripper` half the opening."""
    joints = [joint.rpartition("/")[2] for joint in get_robot(robot).joints]
    axes = _describe("float32", [*joints, "gripper"])
    return COLUMNS | {"observation.state": axes, "action": axes}


def fill_columns(
    episode: Episode, number: int, first: int, task: int
) -> dict[str, NDArray[Any]]:
    """Returns an episode's frames by column, as `COLUMNS` describes them.

    Args:
        episode: The episode.
        number: Its place in the data set.
        first: Frames before it.
        task: Its instruction's place in the list of tasks.
    """
    count = len(episode.state)
    frame = np.arange(count)
    last = frame == count - 1
    columns = {
        "observation.state": episode.state,
        "action": episode.action,
        "next.reward": last * episode.reward,
        "next.success": last & episode.outcome.success,
        "next.done": last,
        "simulated": episode.simulated,
        "timestamp": frame / FPS,
        "frame_index": frame,
        "episode_index": np.full(count, number),
        "index": first + frame,
        "task_index": np.full(count, task),
    }
    return {
        name: np.asarray(column).astype(COLUMNS[name]["dtype"])
        for name, column in columns.items()
    }


def describe_set(counts: dict[str, int], lossless: bool, robot: str) -> dict[str, Any]:
    """Returns the content of `meta/info.json`.

    Args:
        counts: `total_episodes`, `total_frames` and `total_tasks`.
        lossless: Whether images are in the parquet files instead of videos.
        robot: Which arm moves.
    """
    return {
        "codebase_version": VERSION,
        "robot_type": robot,
        **counts,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": FPS,
        "splits": {"train": f"0:{counts['total_episodes']}"},
        "data_path": DATA_PATH,
        "video_path": None if lossless else VIDEO_PATH,
        "features": {CAMERA_KEY: _describe_camera(lossless), **list_columns(robot)},
    }


def _describe_camera(lossless: bool) -> dict[str, Any]:
    camera = {
        "dtype": "image" if lossless else "video",
        "shape": [IMAGE_SIZE, IMAGE_SIZE, 3],
        "names": ["height", "width", "channels"],
    }
    if lossless:
        return camera
    about = {
        "video.height": IMAGE_SIZE,
        "video.width": IMAGE_SIZE,
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": False,
        "video.fps": FPS,
        "video.channels": 3,
        "has_audio": False,
    }
    return camera | {"info": about}
