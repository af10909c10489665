"""What a scene's author must keep, checked where the scene is made and used.

A broken rule, or an exception in the author's own code, becomes one error that names
scene, split, seed and rule: a plug-in at fault is found without a debugger.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.answer import MAX_WAYPOINTS, MIN_WAYPOINTS
from envs.records import Outcome
from envs.state import State
from envs.task import Goal, Task

# Printable Latin text and line breaks: what an instruction may be written in.
CHARSET = "".join(filter(str.isprintable, map(chr, range(0x250)))) + "\n\t"
LONGEST_INSTRUCTION = 1_000  # characters
NEEDED = ("skill", "build", "judge")  # what a task has
EXPERT_TAKES = ("goal", "state", "rng")


class SceneError(ValueError):
    """A scene breaks its contract; the text names scene, split, seed and rule."""


class NoUsableSample(RuntimeError):
    """No draw of a scene can be used; the text says why, with counts by reason."""


@contextmanager
def blaming(where: str, what: str) -> Iterator[None]:
    """Turns any exception of an author's code into a `SceneError`.

    Args:
        where: The scene, split and seed, in words.
        what: The function that is called.
    """
    try:
        yield
    except SceneError:
        raise
    except (Exception, SystemExit) as error:
        raise SceneError(f"{where}: {what} raised {error!r}") from error


@contextmanager
def untouched(where: str, state: State) -> Iterator[None]:
    """Refuses to go on where an author's code has moved what every plan starts from.

    Args:
        where: The scene, split and seed, in words.
        state: The scene's snapshot; put back as it was.
    """
    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    before = np.empty(mujoco.mj_stateSize(state.model, kind))
    after = np.empty_like(before)
    mujoco.mj_getState(state.model, state.data, before, kind)
    yield
    mujoco.mj_getState(state.model, state.data, after, kind)
    if before.tobytes() != after.tobytes():
        mujoco.mj_setState(state.model, state.data, before, kind)
        raise SceneError(f"{where}: judge writes into run.before, where plans start")


def require(where: str, holds: bool, rule: str) -> None:
    """Raises a `SceneError` that names a rule which does not hold."""
    if not holds:
        raise SceneError(f"{where}: {rule}")


def check_task(name: str, task: type) -> None:
    """What every task has."""
    for member in NEEDED:
        require(
            f"scene {name!r}",
            has_own(task, member),
            f"{task.__qualname__} has no {member!r}; needed: {', '.join(NEEDED)}",
        )


def has_own(task: type, member: str) -> bool:
    """Whether a class has a member that is not the one `Task` only describes."""
    own = getattr(task, member, None)
    return own is not None and own is not getattr(Task, member, None)


def check_expert(where: str, task: Task) -> None:
    """The expert takes what experts take."""
    if not has_own(type(task), "expert"):
        return
    expert = task.expert
    signature = inspect.signature(expert)
    names = ", ".join(signature.parameters)
    rule = (
        f"{type(task).__qualname__}.expert takes ({names}); write "
        "expert(self, goal, state, rng): state.model and state.data are the model and "
        "its data, state.middle(part) and state.top(part) say where parts are"
    )
    try:
        signature.bind(*EXPERT_TAKES)
    except TypeError as error:
        raise SceneError(f"{where}: {rule}") from error


def check_goals(where: str, built: Any) -> list[Goal]:
    """What `build` returned, as a list of goals that are made of words."""
    goals: list[Any] = list(built) if isinstance(built, list | tuple) else [built]
    for goal in goals:
        require(where, isinstance(goal, Goal), f"build returned {goal!r}, not a Goal")
        words = (goal.instruction, *goal.aim, goal.thought, *goal.bystanders)
        odd = [word for word in words if not isinstance(word, str)]
        require(where, not odd, f"a Goal's words are {odd}, not text")
    return goals


def check_goal(where: str, goal: Goal, model: mujoco.MjModel) -> None:
    """The words can be shown, and every body that is named exists."""
    words = goal.instruction
    require(where, bool(words.strip()), "the instruction is empty")
    length = len(words) <= LONGEST_INSTRUCTION
    require(where, length, f"the instruction has {len(words)} characters, most: 1000")
    odd = sorted(set(words) - set(CHARSET))
    require(
        where, not odd, f"the instruction has characters outside the charset: {odd}"
    )
    bodies = {model.body(i).name for i in range(model.nbody)}
    named = {"target": goal.target, "part": goal.part}
    named |= {"place": goal.place} if goal.place else {}
    named |= {f"bystanders[{i}]": body for i, body in enumerate(goal.bystanders)}
    for role, body in named.items():
        known = ", ".join(sorted(b for b in bodies if b and not b.startswith("arm/")))
        require(
            where, body in bodies, f"no body {body!r} (Goal.{role}); bodies: {known}"
        )


def check_state(where: str, data: mujoco.MjData) -> None:
    """Positions are finite after the objects have settled."""
    finite = np.isfinite(data.qpos).all() and not data.warning.number.any()
    require(where, bool(finite), "the physics diverged while the objects settled")


def check_outcome(where: str, outcome: object) -> None:
    """A judge's verdict is an outcome whose figures are figures."""
    require(where, isinstance(outcome, Outcome), f"judge returned {outcome!r}")
    assert isinstance(outcome, Outcome)
    kinds = {"success": bool | np.bool, "grasped": bool | np.bool, "reason": str}
    for name, kind in kinds.items():
        if not isinstance(value := getattr(outcome, name), kind):
            raise SceneError(f"{where}: judge's {name} is {value!r}, not of {kind}")
    inside = isinstance(outcome.progress, Real) and 0 <= outcome.progress <= 1
    require(where, inside, f"judge's progress is {outcome.progress!r}, not in 0..1")


def check_path(where: str, path: NDArray[np.float64]) -> None:
    """The expert's path has the right shape and is finite."""
    shape = np.shape(path)
    fits = (
        len(shape) == 2 and shape[1] == 3 and MIN_WAYPOINTS <= shape[0] <= MAX_WAYPOINTS
    )
    rule = (
        f"the expert's path is {list(shape)}, not [{MIN_WAYPOINTS}..{MAX_WAYPOINTS}, 3]"
    )
    require(where, fits, rule)
    require(where, bool(np.isfinite(path).all()), "the expert's path is not finite")
