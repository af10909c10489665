"""Plays motions in the simulator: one batch a scene, every row from one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from envs.motion import Motion

ARM_JOINTS = 9  # arm and fingers come first in qpos
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION  # all that the next step depends on


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """What the simulator did with one motion.

    Attributes:
        after: State at the end with contacts computed; None if the physics diverged.
            The next playback of the same call overwrites it.
        peak_forces: Largest net contact force on each body with a sensor, in newton.
        frames: [T, nq] positions after each step; no rows unless they were asked for.
    """

    after: mujoco.MjData | None
    peak_forces: dict[str, float]
    frames: NDArray[np.float64]


def play(
    model: mujoco.MjModel,
    snapshot: mujoco.MjData,
    motions: list[Motion],
    threads: int = 0,
    keep_frames: bool = False,
) -> Iterator[Playback]:
    """Plays motions of any lengths from a snapshot; each row stops at its own end.

    Args:
        model: The scene's model.
        snapshot: The state of the objects; the arm starts where a motion says.
        motions: G motions.
        threads: Physics threads, 0 for all cores. The results do not depend on it.
        keep_frames: Whether to keep every step's positions.

    Yields:
        G playbacks, one at a time: an `MjData` for each would take longer to make than
        a twentieth of its simulation.
    """
    if not motions:
        return
    # Persistent, because which bodies sleep is not part of the state.
    batch = mujoco.batch.Batch(model, len(motions), threads, persistent=True)
    _restore(batch, model, snapshot, motions)
    trace = _roll_out(batch, model, motions, keep_frames)
    after = mujoco.MjData(model)  # not the batch's own, in which bodies may sleep
    for i, motion in enumerate(motions):
        yield Playback(
            after=after if _read_state(batch, model, i, after) else None,
            peak_forces=_find_peaks(model, trace["sensordata"][i]),
            frames=trace["qpos"][i, : len(motion.control)]
            if keep_frames
            else np.empty((0, model.nq)),
        )


def roll_out_bare(
    model: mujoco.MjModel,
    snapshot: mujoco.MjData,
    motions: list[Motion],
    threads: int = 0,
) -> None:
    """Steps motions of equal length and keeps nothing: the floor of `play`'s time."""
    batch = mujoco.batch.Batch(model, len(motions), threads, persistent=True)
    _restore(batch, model, snapshot, motions)
    control = np.stack([motion.control for motion in motions])
    batch.rollout(
        control.shape[1], control, control_spec=int(mujoco.mjtState.mjSTATE_CTRL)
    )


def _restore(
    batch: mujoco.batch.Batch,
    model: mujoco.MjModel,
    snapshot: mujoco.MjData,
    motions: list[Motion],
) -> None:
    state = np.empty(mujoco.mj_stateSize(model, _STATE))
    mujoco.mj_getState(model, snapshot, state, _STATE)
    batch.state[:] = state
    batch.bind("qpos")[:, :ARM_JOINTS] = [motion.start for motion in motions]
    batch.bind("ctrl")[:] = [motion.control[0] for motion in motions]


def _roll_out(
    batch: mujoco.batch.Batch,
    model: mujoco.MjModel,
    motions: list[Motion],
    keep_frames: bool,
) -> dict[str, NDArray[np.float64]]:
    """Steps in pieces, from one motion's end to the next, dropping the finished."""
    lengths = np.array([len(motion.control) for motion in motions])
    count, total = len(motions), int(lengths.max())
    sizes = {"sensordata": model.nsensordata}
    if keep_frames:
        sizes["qpos"] = model.nq
    trace = {name: np.zeros((count, total, size)) for name, size in sizes.items()}
    start = 0
    for end in map(int, np.unique(lengths)):
        ids = np.flatnonzero(lengths >= end)
        out = {name: np.zeros((len(ids), end - start, n)) for name, n in sizes.items()}
        # The others run on when some fail, and the failed rows say so in their status.
        with suppress(mujoco.batch.SimulationError):
            batch.rollout(
                end - start,
                np.stack([motions[i].control[start:end] for i in ids]),
                control_spec=int(mujoco.mjtState.mjSTATE_CTRL),
                record=tuple(sizes),
                ids=ids,
                out=out,
            )
        for name, values in out.items():
            trace[name][ids, start:end] = values
        start = end
    return trace


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


def _find_peaks(
    model: mujoco.MjModel, readings: NDArray[np.float64]
) -> dict[str, float]:
    """Largest norm of each contact sensor's [T, sensors] readings, by body."""
    return {
        model.body(model.sensor_objid[i]).name: _find_peak(
            readings[:, start : start + n]
        )
        for i, (start, n) in enumerate(
            zip(model.sensor_adr, model.sensor_dim, strict=True)
        )
        if model.sensor_type[i] == mujoco.mjtSensor.mjSENS_CONTACT
    }


def _find_peak(force: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(force, axis=1).max(initial=0))
