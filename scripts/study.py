"""Answers the questions of the study: `python scripts/study.py only=reward`.

Carries out the runs of a question of conf/study that are not done yet, keeps what came
of them in `out`, a line of JSON each, and writes the page with its figures from all
that is there. `budget=small` is a check, `budget=full` the study; `seeds=1` takes one
training of each run. A study that was stopped goes on by the same command.
"""

from __future__ import annotations

import sys
from pathlib import Path

from launching.launch import launch
from omegaconf import DictConfig, ListConfig


def main(config: DictConfig) -> None:
    """Does the runs and writes the page."""
    from policy.study.conduct import conduct
    from policy.study.ledger import Ledger
    from policy.study.page import write_page
    from policy.study.plan import load_questions
    from policy.training.progress import Screen

    screen, ledger = Screen(quiet=config.quiet), Ledger(Path(config.out))
    page = None
    for question in load_questions(list_names(config)) if config.run else []:
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
    from envs.registry import check_name
    from policy.study.plan import load_questions

    questions = load_questions(list_names(config))
    if config.seeds is not None and config.seeds < 1:
        raise ValueError(f"seeds is {config.seeds}; at least 1")
    runs = [run for one in questions for run in one.list_runs(config.budget, 1)]
    envs = {env for run in runs for env in run.exam.get("envs", ())}
    for env in sorted(envs) if config.run else ():
        check_name(env)


def list_names(config: DictConfig) -> list[str]:
    """Returns the questions that `only=` names; none for all."""
    if config.only is None:
        return []
    return [*config.only] if isinstance(config.only, ListConfig) else [config.only]


if __name__ == "__main__":
    launch("study", main, check=check)
