"""Which runs answer which question: `conf/study/*.yaml`, read as plain data.

A question's file has a `title`, `seeds` by budget, and `runs`. A run may train
(`train`, words of scripts/train.py), and is then measured on frozen scenes (`exam`).
What is under `all` is for every budget; `small` or `full` comes on top.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from envs.randomization.factors import check_choice
from policy.home import HOME

FOLDER = HOME / "conf" / "study"
BUDGETS = ("small", "full")
# In the order of the page.
QUESTIONS = ("geometry", "reward", "terms", "grpo", "turns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a question.

    Attributes:
        question: Its name.
        name: What tells it from the others.
        seed: Of its training or sampling.
        budget: One of `BUDGETS`.
        policy: What it starts from, or what is measured if it does not train.
        train: Words of scripts/train.py; None trains nothing.
        exam: What is measured, fields of `policy.study.measure.Sitting`.
        answers: What is answered and executed; empty if nothing is kept of answers.
    """

    question: str
    name: str
    seed: int
    budget: str
    policy: str = "tiny"
    train: Sequence[str] | None = None
    exam: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """Its own name for a folder."""
        words = (self.question, self.budget, self.name, f"seed {self.seed}")
        return re.sub(r"[^\w.]+", "-", "_".join(words))

    def to_plain(self) -> dict[str, Any]:
        """Plain data: two runs are the same if it is equal."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """What a question compares.

    Attributes:
        of: Name of a run.
        than: Name of another.
        says: What is done differently in the first, as the subject of a sentence.
    """

    of: str
    than: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of the study.

    Attributes:
        name: As in `only=`.
        title: The question.
        about: What was done, in a few sentences.
        contrasts: What is compared; the first is the answer's sentence.
        seeds: How many by budget.
        plain: The rest of its file.
    """

    name: str
    title: str
    about: str
    contrasts: Sequence[Contrast]
    seeds: Mapping[str, int]
    plain: Mapping[str, Any]

    def list_runs(self, budget: str, seeds: int | None = None) -> list[Run]:
        """Returns its runs, seed after seed, so that each can be shown as it comes.

        Args:
            budget: One of `BUDGETS`.
            seeds: How many; None takes as many as the question asks for.
        """
        check_choice("budget", budget, BUDGETS)
        count = self.seeds[budget] if seeds is None else seeds
        return [
            self._make_run(name, own or {}, seed, budget)
            for seed in range(count)
            for name, own in self.plain["runs"].items()
            if seed == 0 or "train" in (own or {}) or "answers" in self.plain
        ]

    def _make_run(
        self, name: str, own: Mapping[str, Any], seed: int, budget: str
    ) -> Run:
        usual = {key: self._choose(key, budget) for key in ("exam", "answers")}
        words = None
        if "train" in own:
            layers, extra = self.plain["train"], [*own["train"], *own.get(budget, [])]
            chosen = [*layers["all"], *layers[budget], *extra, f"seed={seed}"]
            words = tuple({word.partition("=")[0]: word for word in chosen}.values())
        answers = usual["answers"] | (own.get("answers") or {})
        return Run(
            question=self.name,
            name=name,
            seed=seed,
            budget=budget,
            policy=own.get("policy", "tiny"),
            train=words,
            exam=usual["exam"] | (own.get("exam") or {}),
            answers=answers,
        )

    def _choose(self, key: str, budget: str) -> dict[str, Any]:
        layers = self.plain.get(key, {})
        return {**layers.get("all", {}), **layers.get(budget, {})}


def load_questions(only: Sequence[str] = ()) -> list[Question]:
    """Returns the questions that are named; all if none is.

    Raises:
        ValueError: There is no such question.
    """
    for name in only:
        check_choice("only", name, QUESTIONS)
    return [load_question(name) for name in QUESTIONS if not only or name in only]


def load_question(name: str, folder: Path = FOLDER) -> Question:
    """Returns a question from its file."""
    plain = yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8"))
    return Question(
        name=name,
        title=plain.pop("title"),
        about=plain.pop("about"),
        contrasts=[Contrast(**row) for row in plain.pop("contrasts", [])],
        seeds=plain.pop("seeds"),
        plain=plain,
    )
