"""Clips: the execution alone, close and from aside, for a page that shows many.

A picture takes 6 ms, where one of a film, with shadows and walls, takes 45.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path

import mujoco

from envs.cameras.render import render
from envs.execution.execute import replay
from envs.records import AnyAnswer
from envs.scene import Scene
from envs.state import State
from envs.video.drawing import Image8
from envs.video.files import encode
from envs.video.film import sample_motion
from envs.video.motion import pose

SIZE = 256  # pixels, a side: a multiple of 16, as video blocks are
FPS = 12
PACE = 1.5  # times as fast as it happened
HOLD_S = 0.6  # s that the last picture stays
# Beside the table, so that the hand hides little, and looking down: without walls the
# sky is black.
LOOKS_AT = (0.47, 0.0, 0.08)  # m
DISTANCE, AZIMUTH_DEG, ELEVATION_DEG = 0.85, -130.0, -41.0
ENCODING = ("-crf", "28", "-preset", "veryfast", "-movflags", "+faststart")


def film_clip(scene: Scene, answer: AnyAnswer, size: int = SIZE) -> Iterator[Image8]:
    """Yields [size, size, 3] pictures of an execution; none where nothing moved."""
    _, playback = replay(scene, answer)
    if playback is None:
        return
    state = State(scene.model, mujoco.MjData(scene.model))
    picture, camera = scene.observation.image, _stand_aside()
    for qpos in sample_motion(scene.state, playback.frames, FPS / PACE):
        pose(scene.model, state.data, qpos)
        picture = render(state, camera, size, size)
        yield picture
    yield from repeat(picture, round(HOLD_S * FPS))


def _stand_aside() -> mujoco.MjvCamera:
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FREE
    camera.lookat[:] = LOOKS_AT
    camera.distance = DISTANCE
    camera.azimuth, camera.elevation = AZIMUTH_DEG, ELEVATION_DEG
    return camera


def write_clip(path: Path, pictures: Iterable[Image8]) -> bool:
    """Writes an H.264 file, whole or not at all; without pictures there is none.

    Returns:
        Whether there is a file.
    """
    pictures = iter(pictures)
    first = next(pictures, None)
    if first is None:
        return False
    encode(path, chain([first], pictures), fps=FPS, ffmpeg_params=[*ENCODING])
    return True
