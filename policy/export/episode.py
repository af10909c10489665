"""An answer executed again, frame by frame: what a camera and the joints would log.

Workers load this file: it must not import torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.execution.execute import replay
from envs.records import Outcome
from envs.video.motion import photograph, read_arm, record_motion
from policy.export.takes import Take
from rewards import RewardMix, score


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Episode:
    """One executed answer.

    Attributes:
        scene: What its scene was made from, as plain data.
        robot: Which arm moves.
        instruction: The task in words.
        text: The answer.
        outcome: What came of it.
        reward: What it earned.
        images: [N, H, W, 3] uint8, the policy's camera.
        state: [N, joints + 1] float32 positions [rad] and half the opening [m].
        action: [N, joints + 1] float32 targets of the same, due at the next frame.
        simulated: [N] whether the physics played the frame.
    """

    scene: dict[str, Any]
    robot: str
    instruction: str
    text: str
    outcome: Outcome
    reward: float
    images: NDArray[np.uint8]
    state: NDArray[np.float32]
    action: NDArray[np.float32]
    simulated: NDArray[np.bool_]


def record_take(
    take: Take, mix: RewardMix, only_success: bool = False
) -> Episode | str:
    """Executes one answer and films it.

    Args:
        take: The scene and the answer to it.
        mix: What is rewarded.
        only_success: Whether a failure is no episode.

    Returns:
        The episode, or why there is none: nothing moves, or all flies apart.
    """
    scene = take.make_scene()
    outcome, playback = replay(scene, take.answer)
    if outcome is None or playback is None or playback.after is None:
        return outcome.reason if outcome else "only a part of a plan"
    if take.success not in (None, outcome.success):
        return "another outcome than in the run"
    if only_success and not outcome.success:
        return outcome.reason
    fitting = mix if scene.reference is not None else mix.without_reference()
    recording = record_motion(scene.data.qpos, playback)
    return Episode(
        scene=scene.config.to_dict(),
        robot=scene.config.robot,
        instruction=take.instruction,
        text=take.text,
        outcome=outcome,
        reward=score(take.answer, scene.reference, outcome, fitting).total,
        images=photograph(scene.model, recording),
        state=read_arm(recording.qpos, scene.state.robot.size).astype(np.float32),
        action=recording.target.astype(np.float32),
        simulated=recording.simulated,
    )
