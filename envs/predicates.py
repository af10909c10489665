"""Questions about an execution, from which scenes compose their success."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import mujoco
import numpy as np

from envs.records import Outcome
from envs.robot import FINGERS
from envs.state import State

UNMOVED = 0.01  # m: a hand that only brushes past moves a thing by less


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What one plan, and those of the turns before it, came to.

    Attributes:
        model: The scene's model.
        before: State at the start of the episode.
        after: Settled state at the end, contacts computed.
        peak_forces: Largest net contact force [N] on each body with a sensor: the
            fingers, and what `robot.parts.add_force_sensor` was called for.
    """

    model: mujoco.MjModel
    before: mujoco.MjData
    after: mujoco.MjData
    peak_forces: Mapping[str, float] = field(default_factory=dict)

    @property
    def start(self) -> State:
        """The state at the start, to ask for bodies by name."""
        return State(self.model, self.before)


def rise(run: Execution, body: str) -> float:
    """How much higher a body is than before [m]."""
    i = run.model.body(body).id
    return float(run.after.xpos[i, 2] - run.before.xpos[i, 2])


def tilt(data: mujoco.MjData, body: str) -> float:
    """Angle between a body's z axis and the vertical [rad]."""
    return float(np.arccos(min(max(data.body(body).xmat[8], -1), 1)))


def toppled(run: Execution, bodies: Iterable[str], limit_rad: float) -> bool:
    """Whether any of the bodies tilts beyond the limit."""
    return any(tilt(run.after, body) > limit_rad for body in bodies)


def touches(run: Execution, a: str, b: str) -> bool:
    """Whether rigid shapes of two bodies are in contact at the end."""
    pair = run.model.body(a).id, run.model.body(b).id
    geoms = run.after.contact.geom  # [N, 2], -1 for what is soft
    contacts = run.model.geom_bodyid[geoms[(geoms >= 0).all(axis=1)]]
    either = (contacts == pair) | (contacts == pair[::-1])
    return bool(either.all(axis=1).any())


def in_hand(run: Execution, body: str) -> bool:
    """Whether a finger still touches a body at the end, which was to be let go."""
    return any(touches(run, finger, body) for finger in FINGERS)


def held_by(run: Execution, part: str) -> bool:
    """Whether both fingers touch the part at the end."""
    return all(touches(run, finger, part) for finger in FINGERS)


def slide(run: Execution, joint: str) -> float:
    """How far a joint of one degree of freedom moved [m or rad]."""
    i = run.model.joint(joint).qposadr[0]
    return float(run.after.qpos[i] - run.before.qpos[i])


def slid(run: Execution, joints: Iterable[str], limit: float) -> bool:
    """Whether any of the joints moved farther than the limit [m or rad], either way."""
    return any(abs(slide(run, joint)) > limit for joint in joints)


def distance(data: mujoco.MjData, a: str, b: str) -> float:
    """Horizontal distance between two bodies' origins [m]."""
    return float(np.linalg.norm((data.body(a).xpos - data.body(b).xpos)[:2]))


def shift(run: Execution, body: str) -> float:
    """How far a body's origin moved [m]."""
    i = run.model.body(body).id
    return float(np.linalg.norm(run.after.xpos[i] - run.before.xpos[i]))


def disturbed(run: Execution, bodies: Iterable[str], limit_m: float) -> bool:
    """Whether any of the bodies moved farther than the limit."""
    return any(shift(run, body) > limit_m for body in bodies)


def conclude(
    checks: Mapping[str, bool], progress: float, grasped: bool = False
) -> Outcome:
    """The outcome of an execution.

    Args:
        checks: Reason of a failure to whether it applies; the first that does is given.
        progress: How far the goal was reached, cut to 0..1.
        grasped: Whether the named part is held.
    """
    reason = next((name for name, failed in checks.items() if failed), "")
    return Outcome(
        success=not reason,
        reason=reason,
        grasped=grasped,
        progress=min(max(float(progress), 0.0), 1.0),
    )
