"""A fitting whose one door is to be opened, with things beside it that must stay."""

from __future__ import annotations

from collections.abc import Sequence

from envs.kitchen import fittings
from envs.predicates import Execution, conclude, disturbed
from envs.records import Outcome
from envs.task import Goal

DOOR = "door0"
PUSHED = 0.05  # m that a bystander may be moved


def ask_for_door(instruction: str, fitting: str, others: Sequence[str]) -> Goal:
    """The goal to open the body `door0` by its part `door0/handle`.

    Args:
        instruction: The task in words.
        fitting: What the door belongs to, in a word.
        others: Bodies that must stay.
    """
    return Goal(
        instruction=instruction,
        target=DOOR,
        part=f"{DOOR}/handle",
        bystanders=tuple(others),
        thought=f"{fitting}, handle",
    )


def judge_door(goal: Goal, run: Execution, opened: float, needed: float) -> Outcome:
    """Says whether the door stands open as far as needed, unforced [m or rad]."""
    checks = {
        "disturbed_others": disturbed(run, goal.bystanders, PUSHED),
        "forced": fittings.forced(run),
        "not_opened": opened < needed,
    }
    return conclude(checks, opened / needed)
