"""Outside knowledge: a sentence beside the instruction, found by its words.

`knowledge=parts` looks in assets/knowledge.yaml for the use that an instruction asks
for, and the prompt goes on with the part to hold the thing by. A file of the same form
takes its place. Each word counts by how few of the entries have it, as in TF-IDF, and
the entry is told of whose words the instruction has the largest share, if it is large:
instructions of other scenes find nothing.

This file must not import torch: processes that make scenes load it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from envs.records import UNTOLD
from policy.home import find

PARTS = "parts"
BASES = {PARTS: "assets/knowledge.yaml"}
SUFFIX = ".yaml"
ARTICLES = {"a", "an", "the"}
# Of the words of a use, by weight, those that an instruction has: in the library's
# scenes at least 0.77 of what is asked for and at most 0.59 of anything else.
LEAST = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is known of one use.

    Attributes:
        use: What a thing is used for, as in "use a saw at a stick".
        hold: The part to hold it by, as in "its handle".
    """

    use: str
    hold: str

    @property
    def words(self) -> frozenset[str]:
        """Those by which it is found."""
        return split_words(self.use)

    @property
    def sentence(self) -> str:
        """It, as a prompt tells it."""
        return f"To {self.use}, hold {self.hold}."


def recall(knowledge: str, instruction: str) -> str:
    """Returns the sentence to tell beside an instruction, "" if there is none.

    Args:
        knowledge: "none", "parts" or a file.
        instruction: The task in words.

    Raises:
        ValueError: It is none of them; see `read_facts`.
    """
    if knowledge == UNTOLD:
        return ""
    fact = retrieve(instruction, read_facts(knowledge))
    return fact.sentence if fact else ""


def retrieve(instruction: str, facts: Sequence[Fact]) -> Fact | None:
    """Returns what is known of the use that an instruction asks for, if anything is."""
    counts = Counter(word for fact in facts for word in fact.words)
    weights = {word: math.log((len(facts) + 1) / n) for word, n in counts.items()}
    said = split_words(instruction)

    def share(fact: Fact) -> float:
        """Of the fact's words, by weight, those that are said."""
        total = sum(weights[word] for word in fact.words)
        return sum(weights[word] for word in fact.words & said) / max(total, 1e-9)

    best = max(facts, key=share)
    return best if share(best) >= LEAST else None


def split_words(text: str) -> frozenset[str]:
    """Returns the words of a text but articles, without capitals."""
    return frozenset(re.findall(r"\w+", text.lower())) - ARTICLES


def check_knowledge(knowledge: str) -> None:
    """Refuses what nothing can be looked up in, before slow work; see `read_facts`."""
    if knowledge != UNTOLD:
        read_facts(knowledge)


@lru_cache(maxsize=4)
def read_facts(knowledge: str) -> tuple[Fact, ...]:
    """Returns what is known.

    Args:
        knowledge: "parts", or a file.

    Raises:
        ValueError: There is no such file, or it holds something else.
    """
    path = find(BASES.get(knowledge, knowledge))
    if path.suffix != SUFFIX or not path.is_file():
        raise ValueError(
            f"unknown knowledge {knowledge!r}; valid: {', '.join((UNTOLD, *BASES))} or "
            f"a file of uses that ends in {SUFFIX}"
        )
    rows = _read_rows(path)
    try:
        facts = tuple(Fact(**row) for row in rows)
    except TypeError as error:
        raise ValueError(_refuse(knowledge)) from error
    if not facts or not all(_is_known(fact) for fact in facts):
        raise ValueError(_refuse(knowledge))
    return facts


def _read_rows(path: Path) -> list:
    """What is in a file; nothing if it is no list."""
    from policy.runtime.stored import load_yaml  # not needed by who is told nothing

    try:
        rows = load_yaml(path)
    except ValueError:
        return []
    return rows if isinstance(rows, list) else []


def _is_known(fact: Fact) -> bool:
    both = (fact.use, fact.hold)
    return all(isinstance(text, str) and text.strip() for text in both)


def _refuse(knowledge: str) -> str:
    return (
        f"knowledge={knowledge} is no list of uses, each {{use: ..., hold: ...}} in "
        "words, as assets/knowledge.yaml is"
    )
