"""Executes plans: all answers to one scene in one physics batch.

Every plan starts from the same snapshot of the objects, with the arm already above its
own grasp: on the way there from home it touches nothing, so simulating the way would
change no outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from envs.cameras.view import View
from envs.contract import blaming, check_outcome, untouched
from envs.execution.motion import Motion, plan_motions
from envs.execution.physics import Playback, play
from envs.execution.unprojection import unproject
from envs.predicates import Execution
from envs.records import AnyAnswer, Outcome, ParseFailure, Plan, Waypoints
from envs.robot import FINGERS
from envs.scene import AnyScene, Scene

Answer = Plan | ParseFailure
"""What `simulate` takes; parts of a plan cannot be executed."""


def simulate(
    scene: Scene, answers: Sequence[Answer], threads: int = 0
) -> list[Outcome]:
    """Executes answers to a scene, each from the same snapshot.

    Args:
        scene: The scene.
        answers: G plans or parse failures. Equal plans are simulated once.
        threads: Physics threads, 0 for all cores. Outcomes do not depend on it.

    Returns:
        G outcomes. Answers that are not plans fail with the parser's reason.
    """
    plans = list(dict.fromkeys(a.strip() for a in answers if isinstance(a, Plan)))
    outcomes = dict(zip(plans, _execute(scene, plans, threads), strict=True))
    return [
        outcomes[answer.strip()]
        if isinstance(answer, Plan)
        else Outcome(success=False, reason=answer.reason)
        for answer in answers
    ]


def simulate_groups(
    groups: Sequence[tuple[Scene, Sequence[Answer]]], threads: int = 2
) -> list[list[Outcome]]:
    """Executes the groups of a step, one thread a group: see `simulate`."""
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        return list(pool.map(lambda group: simulate(*group, threads=1), groups))


def run(
    scene: Scene, answer: Answer, keep_frames: bool = False
) -> tuple[Outcome, Playback | None]:
    """Executes one answer and keeps what the simulator did.

    Args:
        scene: The scene.
        answer: A plan or a parse failure.
        keep_frames: Whether to keep every physics step's positions.

    Returns:
        The outcome, equal to that of `simulate`, and the playback; None if the answer
        could not be executed, so that nothing moved.
    """
    if isinstance(answer, ParseFailure):
        return Outcome(success=False, reason=answer.reason), None
    motion = prepare(scene, [answer.strip()])[0]
    if isinstance(motion, Outcome):
        return motion, None
    playback = next(play(scene.state, [motion], 1, keep_frames))
    return _judge(scene, motion, playback), playback


def replay(
    scene: AnyScene, answer: AnyAnswer
) -> tuple[Outcome | None, Playback | None]:
    """Executes what can be executed, with every physics step; else nothing happens."""
    if isinstance(scene, Scene) and isinstance(answer, Plan | ParseFailure):
        return run(scene, answer, keep_frames=True)
    return None, None


def record(scene: Scene, plan: Plan) -> tuple[Outcome, NDArray[np.float64]]:
    """Executes one plan and keeps its frames.

    Returns:
        The outcome and [T, nq] positions, one row a physics step; no rows if the plan
        could not be executed.
    """
    outcome, playback = run(scene, plan, keep_frames=True)
    frames = np.empty((0, scene.model.nq)) if playback is None else playback.frames
    return outcome, frames


def _execute(scene: Scene, plans: list[Plan], threads: int) -> list[Outcome]:
    prepared = prepare(scene, plans)
    motions = [item for item in prepared if isinstance(item, Motion)]
    playbacks = play(scene.state, motions, threads)
    return [
        item if isinstance(item, Outcome) else _judge(scene, item, next(playbacks))
        for item in prepared
    ]


def prepare(scene: Scene, plans: list[Plan]) -> list[Motion | Outcome]:
    """Returns the plans' motions, or the outcome of those that cannot be executed."""
    view, skill = View(scene.state, scene.observation.camera), scene.task.skill
    found = unproject(view, plans, skill)
    reached = [item for item in found if isinstance(item, Waypoints)]
    motions = iter(plan_motions(reached, skill, scene.state.robot))
    unreachable = Outcome(success=False, reason="unreachable")
    return [
        item if isinstance(item, Outcome) else next(motions) or unreachable
        for item in found
    ]


def _judge(scene: Scene, motion: Motion, playback: Playback) -> Outcome:
    if playback.after is None:
        return Outcome(success=False, reason="diverged")
    run = Execution(
        model=scene.model,
        before=scene.first.data,
        after=playback.after,
        peak_forces=playback.peak_forces,
    )
    with blaming(scene.where, "judge"), untouched(scene.where, scene.first):
        outcome = scene.task.judge(scene.goal, run)
    check_outcome(scene.where, outcome)
    return replace(
        outcome,
        contact_force=max(playback.peak_forces[finger] for finger in FINGERS),
        smoothness=motion.smoothness,
    )
