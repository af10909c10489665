"""Films of rollouts: what was seen, what was said, what the arm did, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from envs.cameras.overview import Overview
from envs.execution.execute import replay
from envs.execution.physics import Playback
from envs.records import Affordance, AnyAnswer, Outcome, Plan, Reward, Trajectory
from envs.rollout import UNREWARDED, Rollout
from envs.scene import AnyScene, Scene
from envs.state import State
from envs.video.animation import ENDINGS, write_animation
from envs.video.drawing import (
    BOX,
    EXPERT,
    FAINT,
    GREEN,
    INK,
    PAPER,
    PATH,
    RED,
    RGB8,
    Image8,
    contact_sheet,
    draw_plan,
    load_font,
    wrap_text,
)
from envs.video.files import encode
from envs.video.motion import FPS, pose, show_approach
from envs.world import TIME_STEP

__all__ = [
    "contact_sheet",
    "draw_plan",
    "film",
    "write_rollout_videos",
    "write_video",
]

WIDTH, VIEW, STRIP = 640, 448, 144  # pixels: multiples of 16, as video blocks are
INSET = 168  # pixels, a side of the policy's image beside the execution
HOLD_S = 1.2  # s that the first and the last picture stay


def film(rollout: Rollout) -> Iterator[Image8]:
    """Shows one rollout from the question to the verdict.

    Args:
        rollout: What to show. Without an outcome it has the one of the execution that
            is filmed; part of a plan is only shown.

    Yields:
        [592, 640, 3] pictures, 25 a second.
    """
    scene, answer = rollout.scene, rollout.answer
    happened, playback = replay(scene, answer)
    card = _draw_card(scene, answer)
    yield from _hold(_join(card, _draw_strip(rollout, ("the question", FAINT))))
    view = card
    if isinstance(scene, Scene) and playback is not None:
        strip = _draw_strip(rollout, ("the arm moves", FAINT))
        inset = _draw_inset(scene, answer)
        for picture in _film_arm(scene, playback):
            view = _set_in(picture, inset)
            yield _join(view, strip)
    verdict = _draw_strip(rollout, _judge(rollout.outcome or happened), rollout.reward)
    yield from _hold(_join(view, verdict))


def write_rollout_videos(rollouts: Iterable[Rollout], path: str | Path) -> None:
    """Films rollouts one after the other into one mp4, gif or webp file; see `film`."""
    write_video(path, chain.from_iterable(map(film, rollouts)))


def write_video(path: str | Path, frames: Iterable[Image8]) -> None:
    """Writes an H.264 file that browsers play, or an animated GIF or WebP.

    Args:
        path: A file that ends in .mp4, .gif or .webp; its folder is made.
        frames: [H, W, 3] pictures of one size, both sides multiples of 16.

    Raises:
        ValueError: No frames.
    """
    if Path(path).suffix in ENDINGS:
        write_animation(Path(path), frames, FPS)
        return
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"no frames to write to {path}")
    encode(Path(path), chain([first], frames), fps=FPS, quality=7)


def _hold(frame: Image8) -> Iterator[Image8]:
    return repeat(frame, round(HOLD_S * FPS))


def _film_arm(scene: Scene, playback: Playback) -> Iterator[Image8]:
    """[448, 640, 3] pictures from home to the end of the execution."""
    data = mujoco.MjData(scene.model)
    with Overview(scene.model, WIDTH, VIEW) as overview:
        for qpos in sample_motion(scene.state, playback.frames):
            pose(scene.model, data, qpos)
            yield overview.render(data).copy()


def sample_motion(
    start: State, frames: NDArray[np.float64], rate: float = FPS
) -> Iterator[NDArray[np.float64]]:
    """Yields [nq] positions, one a picture: the way to the grasp, then the execution.

    Args:
        start: The state before, the arm at home.
        frames: [T, nq] positions after each physics step.
        rate: Pictures a second of simulated time.
    """
    usable = frames[np.isfinite(frames).all(axis=1) & frames.any(axis=1)]
    if len(usable) == 0:  # the physics diverged at once
        yield start.data.qpos
        return
    yield from show_approach(start.data.qpos, usable[0, : start.robot.size], rate)
    yield from usable[:: round(1 / (rate * TIME_STEP))]
    yield usable[-1]


def _judge(outcome: Outcome | None) -> tuple[str, RGB8]:
    if outcome is None:
        return "not executed", FAINT
    if outcome.success:
        return "success", GREEN
    return f"failure: {outcome.reason.replace('_', ' ')}", RED


def _join(view: Image8, strip: Image8) -> Image8:
    return np.concatenate([view, strip])


def _draw_inset(scene: AnyScene, answer: AnyAnswer) -> Image8:
    """The policy's image with its plan, small and framed."""
    seen = Image.fromarray(draw_plan(scene.observation.image, answer))
    small = np.array(seen.resize((INSET, INSET), Image.Resampling.LANCZOS))
    return np.pad(small, ((2, 2), (2, 2), (0, 0)), constant_values=PAPER[0])


def _set_in(picture: Image8, inset: Image8) -> Image8:
    """Copies the inset into the lower right, where no scene has objects or the arm."""
    height, width = inset.shape[:2]
    picture[-8 - height : -8, -8 - width : -8] = inset
    return picture


def _draw_card(scene: AnyScene, answer: AnyAnswer) -> Image8:
    """[448, 640, 3] the policy's image with its plan, and what the colours mean."""
    card = Image.new("RGB", (WIDTH, VIEW), PAPER)
    size = (VIEW, VIEW)
    seen = draw_plan(scene.observation.image, answer, scene.reference)
    card.paste(Image.fromarray(seen).resize(size, Image.Resampling.LANCZOS))
    pen = ImageDraw.Draw(card)
    left = VIEW + 16
    pen.text((left, 16), scene.name, INK, load_font(20))
    pen.text((left, 44), f"{scene.split} {scene.seed}", FAINT, load_font(14))
    legend = [("box", BOX)] if isinstance(answer, Plan | Affordance) else []
    if isinstance(answer, Plan | Trajectory):
        legend.append(("path", PATH))
    if scene.reference is not None:
        legend.append(("expert", EXPERT))
    for row, (name, colour) in enumerate(legend):
        top = 84 + 26 * row
        pen.line((left, top + 9, left + 26, top + 9), colour, 4)
        pen.text((left + 36, top), name, INK, load_font(15))
    return np.array(card)


def _draw_strip(
    rollout: Rollout, status: tuple[str, RGB8], reward: Reward = UNREWARDED
) -> Image8:
    """[144, 640, 3] instruction, status, answer and reward."""
    strip = Image.new("RGB", (WIDTH, STRIP), PAPER)
    pen = ImageDraw.Draw(strip)
    inner = WIDTH - 24
    word, colour = status
    room = inner - load_font(17).getlength(word) - 20
    pen.text((WIDTH - 12, 9), word, colour, load_font(17), anchor="ra")
    _write(pen, 9, wrap_text(rollout.scene.instruction, 17, room, 1), 17, INK)
    _write(pen, 37, wrap_text(rollout.text or "(no text)", 14, inner, 3), 14, FAINT)
    if reward.terms:
        terms = "   ".join(f"{k} {v:.2f}" for k, v in reward.terms.items())
        line = f"reward {reward.total:.2f}:   {terms}"
        _write(pen, 100, wrap_text(line, 13, inner, 2), 13, INK)
    return np.array(strip)


def _write(
    pen: ImageDraw.ImageDraw, top: int, lines: Sequence[str], size: int, colour: RGB8
) -> None:
    for row, line in enumerate(lines):
        pen.text((12, top + row * (size + 5)), line, colour, load_font(size))
