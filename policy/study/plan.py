"""Which runs answer which question: `conf/study/*.yaml`, read as plain data.

A question's file has a `title`, `seeds` by budget, and `runs`. A run may train
(`train`, words of scripts/train.py, or `warmstart`, of scripts/warmstart.py), and is
then measured on held-out scenes (`exam`).
What is under `all` is for every budget; `small` or `full` comes on top.
"""

from __future__ import annotations

import hashlib
import json
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
# In the order of the page, with their numbers there.
QUESTIONS = {
    "geometry": "1",
    "reward": "2",
    "data": "3",
    "terms": "4",
    "joint": "5",
    "turns": "6a",
    "heights": "6b",
    "knowledge": "7",
    "grpo": "8",
    "carry": "9",
}

# What of a run says that another seed is another training.
TRAININGS = ("train", "warmstart", "compose")

# What is known of each scene: name to its key in a row, and what it is, in words.
MEASURES = {
    "success": ("solved", "success"),
    "box": ("touched", "how often the box is on the right part"),
}
ASIDE = "-"
"""In the place of a scene's digit: the scene was put aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a question.

    Attributes:
        question: Its name.
        name: What tells it from the others.
        seed: Of its training or sampling.
        budget: One of `BUDGETS`.
        policy: What it starts from, or what is measured if it does not train.
        train: Words of scripts/train.py; None trains nothing by it.
        warmstart: Words of scripts/warmstart.py; None trains nothing by it.
        export: Words of scripts/export.py: what it learns from; none of scenes.
        compose: One other run, whose policy is measured again; or two: the box of the
            first's answer and the path of the second's are measured as one plan.
        exam: What is measured, fields of `policy.study.measure.Sitting`.
        answers: What is answered and executed; empty if nothing is kept of answers.
    """

    question: str
    name: str
    seed: int
    budget: str
    policy: str = "tiny"
    train: Sequence[str] | None = None
    warmstart: Sequence[str] | None = None
    export: Sequence[str] = ()
    compose: Sequence[Run] = ()
    exam: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """A name for the folder of its training, which no other settings share."""
        words = (self.question, self.budget, self.name, f"seed {self.seed}")
        plain = re.sub(r"[^\w.]+", "-", "_".join(words), flags=re.ASCII)
        trained = (*(self.train or ()), *(self.warmstart or ()))
        return f"{plain}_{digest_words([self.policy, *self.export, *trained])}"

    def to_plain(self) -> dict[str, Any]:
        """Plain data for JSON: two runs are the same if it is equal."""
        said = {k: v for k, v in asdict(self).items() if v or k in ("seed", "train")}
        return json.loads(json.dumps(said))


def digest_words(words: Sequence[str]) -> str:
    """Returns three bytes, in hexadecimal, that tell words from others."""
    return hashlib.blake2b("\n".join(words).encode(), digest_size=3).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """What a question compares.

    Attributes:
        of: Name of a run.
        than: Name of another.
        says: What is done differently in the first, as the subject of a sentence.
        by: What is compared, one of `MEASURES`.
        scene: The kind of scene on which it is; "" for all that are measured.
        adds: Whether the first cannot be worse than the second, so that only how much
            it adds is a question.
        alike: What follows, in a sentence, where no difference is shown.
    """

    of: str
    than: str
    says: str
    by: str = "success"
    scene: str = ""
    adds: bool = False
    alike: str = ""

    def __post_init__(self) -> None:
        """Refuses what is not measured."""
        check_choice("by", self.by, tuple(MEASURES))


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
        shown: The kind of scene of its figure and table, and of contrasts that name no
            other; "" for all that are measured.
    """

    name: str
    title: str
    about: str
    contrasts: Sequence[Contrast]
    seeds: Mapping[str, int]
    plain: Mapping[str, Any]
    shown: str = ""

    def list_runs(self, budget: str, seeds: int | None = None) -> list[Run]:
        """Returns its runs, seed after seed, so that each can be shown as it comes.

        Args:
            budget: One of `BUDGETS`.
            seeds: How many; None takes as many as the question asks for.
        """
        check_choice("budget", budget, BUDGETS)
        count = self.seeds[budget] if seeds is None else seeds
        return [
            self._make_run(name, seed, budget)
            for seed in range(count)
            for name in self.plain["runs"]
            if seed == 0 or self._varies(name)
        ]

    def _varies(self, name: str) -> bool:
        """Whether another seed makes another run of it."""
        own = self.plain["runs"][name]
        return "answers" in self.plain or any(key in own for key in TRAININGS)

    def _make_run(self, name: str, seed: int, budget: str) -> Run:
        own = self.plain["runs"][name]
        words = self._list_words("train", own, seed, budget)
        offline = words is not None and "env=offline" in words
        return Run(
            question=self.name,
            name=name,
            seed=seed,
            budget=budget,
            policy=own.get("policy", "tiny"),
            train=words,
            warmstart=self._list_words("warmstart", own, seed, budget),
            export=self._choose_words("export", budget) if offline else (),
            compose=[self._make_run(n, seed, budget) for n in own.get("compose", [])],
            exam=self._choose("exam", budget) | own.get("exam", {}),
            answers=self._choose("answers", budget),
        )

    def _list_words(
        self, key: str, own: Mapping[str, Any], seed: int, budget: str
    ) -> tuple[str, ...] | None:
        """Words of a training, if it is one; of two for one key the last counts."""
        if key not in own:
            return None
        usual = self._choose_words(key, budget)
        words = [*usual, *own[key], *own.get(budget, []), f"seed={seed}"]
        return tuple({word.partition("=")[0]: word for word in words}.values())

    def _choose_words(self, key: str, budget: str) -> tuple[str, ...]:
        layers = self.plain[key]
        return (*layers["all"], *layers[budget])

    def _choose(self, key: str, budget: str) -> dict[str, Any]:
        layers = self.plain.get(key, {})
        return {**layers.get("all", {}), **layers.get(budget, {})}


def load_questions(only: Sequence[str] = ()) -> list[Question]:
    """Returns the questions that are named; all if none is.

    Raises:
        ValueError: There is no such question.
    """
    for name in only:
        check_choice("only", name, tuple(QUESTIONS))
    return [load_question(name) for name in QUESTIONS if not only or name in only]


def load_question(name: str, folder: Path = FOLDER) -> Question:
    """Returns a question from its file."""
    plain = yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8"))
    shown = plain.pop("shown", "")
    contrasts = plain.pop("contrasts", [])
    return Question(
        name=name,
        title=plain.pop("title"),
        about=plain.pop("about"),
        contrasts=[Contrast(**({"scene": shown} | row)) for row in contrasts],
        seeds=plain.pop("seeds"),
        plain=plain,
        shown=shown,
    )
