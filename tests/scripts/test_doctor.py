"""A doctor sees every patient."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
from commands import ROOT


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("doctor")


def test_help_and_mistakes_run_no_check(
    doctor: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"none": lambda: pytest.fail("it ran")})
    for word in ("--help", "-h"):
        assert doctor.main([word]) == 0
        said = capsys.readouterr()
        assert said.out.startswith("Says what this machine has") and not said.err
    assert doctor.main(["env=pick_mug"]) == 2
    said = capsys.readouterr()
    assert not said.out and "'env=pick_mug'" in said.err and "--help" in said.err


def test_whatever_one_check_meets_the_others_are_done(
    doctor: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def meet(error: Exception) -> str:
        raise error

    errors = [OSError("libcudart.so"), ImportError("torch"), doctor.Missing("do this")]
    checks = {str(e): lambda e=e: meet(e) for e in errors}
    monkeypatch.setattr(doctor, "CHECKS", {**checks, "fine": lambda: "all of it"})
    assert doctor.main() == 1
    said = capsys.readouterr().out
    assert "OSError: libcudart.so" in said and f"torch: {doctor.SETUP}" in said
    assert "all of it" in said and "3 of 4 need something" in said
