"""How many threads a policy gets."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
import torch
from commands import ROOT
from torch import nn


@pytest.fixture
def policies(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("launching.policies")


@pytest.mark.parametrize(("cores", "few"), [(64, 8), (2, 2)])
def test_a_large_policy_gets_all_threads_even_after_a_small_one(
    cores, few, policies, monkeypatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(policies, "_count_threads", lambda: cores)
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    small, large = nn.Linear(8, 8), nn.Linear(2**12, 2**13, device="meta")
    for model in (small, large, small):
        policies.set_threads(model)
    assert given == [few, cores, few]
