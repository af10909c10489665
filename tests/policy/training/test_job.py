"""A job says before it starts what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import runs

from policy.grpo.config import GRPOConfig, LearningRates
from policy.records import GroupCount
from policy.training import job
from policy.training.progress import Screen

DEFAULT = GRPOConfig()
SLOW = GRPOConfig(
    learning_rate=LearningRates(tower=1e-5, language=1e-5, embeddings=1e-5)
)


def count(group: str, total: int, trainable: int) -> GroupCount:
    return GroupCount(
        group=group, total=total, trainable=trainable, dtype="float32", masters=False
    )


@pytest.mark.parametrize(
    ("algo", "group", "total", "trains", "doubts"),
    [
        (DEFAULT, "language", 500_000_000, True, True),
        (DEFAULT, "adapters", 500_000_000, True, True),
        (DEFAULT, "language", 500_000_000, False, False),
        (DEFAULT, "tower", 500_000_000, True, False),
        (DEFAULT, "adapters", 6_000_000, True, False),
        (SLOW, "adapters", 500_000_000, True, False),
    ],
)
def test_rates_of_the_default_policy_are_doubted_in_a_large_one(
    algo: GRPOConfig, group: str, total: int, trains: bool, doubts: bool
) -> None:
    counts = [count("tower", 7, 0), count(group, total, total * trains)]
    said = replace(runs.JOB, algo=algo).doubt_rates(counts)
    assert bool(said) == doubts
    if doubts:
        assert said.startswith("algo.learning_rate.language is 0.005, ")
        assert "500 million: take algo=paper rollout=long" in said


def test_a_training_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(job, "LARGE", 1e6)
    monkeypatch.setattr(Screen, "say", lambda self, text: said.append(str(text)))
    fast = replace(runs.JOB.algo, learning_rate=LearningRates(language=2e-3))
    runs.execute(tmp_path / "run", replace(runs.JOB, algo=fast, steps=1, n=0))
    [line] = [text for text in said if text.startswith("warning: ")]
    assert "algo.learning_rate.language is 0.002" in line
