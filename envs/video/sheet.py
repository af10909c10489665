"""Contact sheets: one picture a rollout, taken in the middle of the action."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mujoco
import numpy as np
from PIL import Image, ImageDraw

from envs.cameras.overview import Overview
from envs.cameras.viewpoint import CAMERA
from envs.execution.execute import replay
from envs.execution.physics import Playback
from envs.rollout import Rollout
from envs.scene import AnyScene, Scene
from envs.video.drawing import (
    FAINT,
    INK,
    PAPER,
    RED,
    Image8,
    contact_sheet,
    draw_plan,
    load_font,
    wrap_text,
)
from envs.video.files import writing

SIDE, CAPTION = 288, 56  # pixels
COLUMNS = 5
MOMENT = 0.55  # share of the execution at which the picture is taken


def write_sheet(
    rollouts: Sequence[Rollout], path: str | Path, columns: int = COLUMNS
) -> None:
    """Writes a picture of many rollouts.

    Args:
        rollouts: What to show.
        path: A .png or .jpg file; its folder is made.
        columns: Tiles a row.
    """
    tiles = [draw_tile(rollout) for rollout in rollouts]
    sheet = Image.fromarray(contact_sheet(tiles, min(columns, len(tiles))))
    with writing(Path(path)) as partial:
        sheet.save(partial, quality=90)


def draw_tile(rollout: Rollout) -> Image8:
    """[344, 288, 3] the policy's view in mid-action, plan, words and what failed."""
    scene, answer = rollout.scene, rollout.answer
    outcome, playback = replay(scene, answer)
    seen = draw_plan(_photograph(scene, playback), answer, scale=1)
    reason = "" if outcome is None or outcome.success else outcome.reason
    return np.concatenate([seen, _draw_caption(scene, reason)])


def _photograph(scene: AnyScene, playback: Playback | None) -> Image8:
    """[288, 288, 3] the scene in mid-action; an annotated image with its annotation."""
    if not isinstance(scene, Scene):
        image = scene.observation.image
        seen = Image.fromarray(draw_plan(image, None, scene.reference, scale=1))
        return np.array(seen.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    qpos = scene.data.qpos
    if playback is not None and playback.after is not None:  # it did not diverge
        qpos = playback.frames[int(MOMENT * len(playback.frames))]
    data = mujoco.MjData(scene.model)
    data.qpos[:] = qpos
    mujoco.mj_forward(scene.model, data)
    with Overview(scene.model, SIDE, SIDE) as overview:
        return overview.render(data, CAMERA).copy()


def _draw_caption(scene: AnyScene, reason: str) -> Image8:
    strip = Image.new("RGB", (SIDE, CAPTION), PAPER)
    pen = ImageDraw.Draw(strip)
    pen.text((8, 5), scene.name, FAINT, load_font(12))
    pen.text((SIDE - 8, 5), reason, RED, load_font(12), anchor="ra")
    for row, line in enumerate(wrap_text(scene.instruction, 13, SIDE - 16, 2)):
        pen.text((8, 19 + 15 * row), line, INK, load_font(13))
    return np.array(strip)
