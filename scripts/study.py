"""Answers the questions of the study: `python scripts/study.py only=reward`.

Carries out the runs of a question of conf/study that are not done yet, keeps what came
of them in `out`, a line of JSON each, and writes the page with its figures from all
that is there. `budget=small` is a check, `budget=full` the study; `seeds=1` takes one
training of each run. A study that was stopped goes on by the same command. Without
`only=` a question whose scenes need what is not installed is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from launching.launch import launch
from omegaconf import DictConfig, ListConfig

if TYPE_CHECKING:
    from policy.study.plan import Question


def main(config: DictConfig) -> None:
    """Does the runs and writes the page."""
    from policy.study.conduct import conduct
    from policy.study.ledger import Ledger
    from policy.study.page import write_page
    from policy.training.progress import Screen

    screen, ledger = Screen(quiet=config.quiet), Ledger(Path(config.out))
    page = None
    for question in choose_questions(config, screen.say) if config.run else []:
        runs = question.list_runs(config.budget, config.seeds)
        try:
            conduct(runs, ledger, Path(config.work), screen)
        except RuntimeError as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            screen.say("stopped; the same command goes on")
            sys.exit(130)
        page = write_page(ledger)
    screen.say(f"page: {page or write_page(ledger)}")


def check(config: DictConfig) -> None:
    """Refuses questions and budgets that do not exist, and scenes that are missing."""
    from envs.randomization.factors import check_choice
    from policy.study.plan import BUDGETS, load_questions

    load_questions(list_names(config))
    check_choice("budget", config.budget, BUDGETS)
    if config.seeds is not None and config.seeds < 1:
        raise ValueError(f"seeds is {config.seeds}; at least 1")
    if config.run:
        choose_questions(config)


def choose_questions(
    config: DictConfig, say: Callable[[str], object] = lambda line: None
) -> list[Question]:
    """Returns the questions to answer.

    Args:
        config: Where `only=` names none, one that lacks something is left out.
        say: Told of such a one.

    Raises:
        ValueError: One that is named lacks something.
    """
    from policy.study.plan import load_questions

    chosen, names = [], list_names(config)
    for question in load_questions(names):
        lacking = find_lacking(question)
        if lacking and names:
            raise ValueError(f"only={question.name} {lacking}")
        if lacking:
            say(f"question {question.name} is left out: it {lacking}")
        else:
            chosen.append(question)
    return chosen


def find_lacking(question: Question) -> str:
    """Returns what a question needs that is not installed; "" if nothing."""
    from envs.registry import list_absent

    absent = list_absent()
    runs = question.list_runs("full", 1)
    asked = {env for run in runs for env in run.exam.get("envs", ())}
    said = [absent[env] for env in sorted(asked & absent.keys())]
    return said[0].partition(" ")[2] if said else ""


def list_names(config: DictConfig) -> list[str]:
    """Returns the questions that `only=` names; none for all."""
    if config.only is None:
        return []
    return [*config.only] if isinstance(config.only, ListConfig) else [config.only]


if __name__ == "__main__":
    launch("study", main, check=check)
