"""Plays motions in the simulator: one batch a scene, every row from one snapshot.

Steps of 4 ms serve where things are held, pushed and set down. Where the hand rams
something that does not give way they come to other ends than finer ones; such motions
are played again in steps half as long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from envs.execution.motion import Motion
from envs.robot import FINGERS
from envs.state import State

RAMMING = 250.0  # N on a finger; a grasp presses with 25, a drawer is shut with 240
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION  # all that the next step depends on


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """What the simulator did with one motion.

    Attributes:
        after: State at the end with contacts computed; None if the physics diverged.
            The next playback of the same call overwrites it.
        peak_forces: Largest net contact force on each body with a sensor, in newton.
        frames: [T, nq] positions after each step; no rows unless they were asked for.
        motion: What was played.
    """

    after: mujoco.MjData | None
    peak_forces: dict[str, float]
    frames: NDArray[np.float64]
    motion: Motion


def play(
    start: State, motions: list[Motion], threads: int = 0, keep_frames: bool = False
) -> Iterator[Playback]:
    """Plays motions of any lengths from a snapshot, the ramming ones in finer steps.

    Args:
        start: The scene's model and the objects' state; the arm starts where a motion
            says.
        motions: G motions.
        threads: Physics threads, 0 for all cores. The results do not depend on it.
        keep_frames: Whether to keep every step's positions.

    Yields:
        G playbacks, one at a time: an `MjData` for each would take longer to make than
        a twentieth of its simulation.
    """
    playbacks = _play(start, motions, threads, keep_frames)
    for motion, playback in zip(motions, playbacks, strict=True):
        if max(playback.peak_forces[finger] for finger in FINGERS) > RAMMING:
            yield _play_finely(start, motion, keep_frames)
        else:
            yield playback


def _play_finely(start: State, motion: Motion, keep_frames: bool) -> Playback:
    """Plays a motion in steps half as long; keeps the frames of whole steps."""
    finer = copy(start.model)
    finer.opt.timestep /= 2
    fine = replace(motion, control=refine(motion.control, 2))
    playback = next(_play(State(finer, start.data), [fine], 1, keep_frames))
    return replace(playback, frames=playback.frames[1::2], motion=motion)


def refine(control: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """[times T, A] of [T, A] controls, the new ones between the old."""
    known = np.arange(len(control))
    at = np.arange(times * len(control)) / times
    return np.stack([np.interp(at, known, column) for column in control.T], axis=1)


def _play(
    start: State, motions: list[Motion], threads: int, keep_frames: bool
) -> Iterator[Playback]:
    """Plays motions in one batch; each row stops at its own end."""
    if not motions:
        return
    model = start.model
    # Persistent, because which bodies sleep is not part of the state.
    batch = mujoco.batch.Batch(model, len(motions), threads, persistent=True)
    _restore(batch, start, motions)
    sensors = list_force_sensors(model)
    peaks, frames = _roll_out(batch, motions, sensors.values(), keep_frames)
    after = mujoco.MjData(model)  # not the batch's own, in which bodies may sleep
    for i, motion in enumerate(motions):
        yield Playback(
            after=after if _read_state(batch, model, i, after) else None,
            peak_forces=dict(zip(sensors, peaks[i].tolist(), strict=True)),
            frames=frames[i, : len(motion.control)],
            motion=motion,
        )


def roll_out_bare(start: State, motions: list[Motion], threads: int = 0) -> None:
    """Steps motions of equal length and keeps nothing: the floor of `play`'s time."""
    batch = mujoco.batch.Batch(start.model, len(motions), threads, persistent=True)
    _restore(batch, start, motions)
    control = np.stack([motion.control for motion in motions])
    batch.rollout(
        control.shape[1], control, control_spec=int(mujoco.mjtState.mjSTATE_CTRL)
    )


def _restore(batch: mujoco.batch.Batch, start: State, motions: list[Motion]) -> None:
    state = np.empty(mujoco.mj_stateSize(start.model, _STATE))
    mujoco.mj_getState(start.model, start.data, state, _STATE)
    batch.state[:] = state
    arm = np.array([motion.start for motion in motions])
    batch.bind("qpos")[:, : arm.shape[1]] = arm
    batch.bind("ctrl")[:] = [motion.control[0] for motion in motions]


def _roll_out(
    batch: mujoco.batch.Batch,
    motions: list[Motion],
    sensors: Collection[slice],
    keep_frames: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps in pieces, from one motion's end to the next, dropping the finished.

    Returns:
        [G, sensors] largest forces, and [G, T, nq] positions; T is 0 if not asked for.
    """
    lengths = np.array([len(motion.control) for motion in motions])
    count, total = len(motions), int(lengths.max())
    peaks = np.zeros((count, len(sensors)))
    nq = batch.bind("qpos").shape[1]
    frames = np.zeros((count, total if keep_frames else 0, nq))
    sizes = {"sensordata": batch.bind("sensordata").shape[1]}
    if keep_frames:
        sizes["qpos"] = nq
    start = 0
    for end in map(int, np.unique(lengths)):
        ids = np.flatnonzero(lengths >= end)
        control = np.stack([motions[i].control[start:end] for i in ids])
        out = _advance(batch, ids, control, sizes)
        for k, at in enumerate(sensors):
            force = np.linalg.norm(out["sensordata"][..., at], axis=2)
            peaks[ids, k] = np.maximum(peaks[ids, k], force.max(axis=1))
        if keep_frames:
            frames[ids, start:end] = out["qpos"]
        start = end
    return peaks, frames


def _advance(
    batch: mujoco.batch.Batch,
    ids: NDArray[np.int64],
    control: NDArray[np.float64],
    sizes: dict[str, int],
) -> dict[str, NDArray[np.float64]]:
    """Steps n rows through [n, T, 8] controls; [n, T, size] of each field recorded."""
    steps = control.shape[:2]
    out = {name: np.zeros((*steps, size)) for name, size in sizes.items()}
    # The others run on when some fail, and the failed rows say so in their status.
    with suppress(mujoco.batch.SimulationError):
        batch.rollout(
            steps[1],
            control,
            control_spec=int(mujoco.mjtState.mjSTATE_CTRL),
            record=tuple(sizes),
            ids=ids,
            out=out,
        )
    return out


def _read_state(
    batch: mujoco.batch.Batch, model: mujoco.MjModel, i: int, into: mujoco.MjData
) -> bool:
    """Whether row i ended well; then its state is computed anew."""
    if batch.status[i] or batch.warning[i].any():
        return False
    mujoco.mj_resetData(model, into)  # or a sleeping body stays asleep
    mujoco.mj_setState(model, into, batch.state[i], _STATE)
    mujoco.mj_forward(model, into)
    return True


def list_force_sensors(model: mujoco.MjModel) -> dict[str, slice]:
    """Where each body's contact force [N] stands among the sensors' readings."""
    sensors = np.flatnonzero(model.sensor_type == mujoco.mjtSensor.mjSENS_CONTACT)
    bodies = [model.body(i).name for i in model.sensor_objid[sensors]]
    start, size = model.sensor_adr[sensors], model.sensor_dim[sensors]
    return dict(zip(bodies, map(slice, start, start + size), strict=True))
