"""A doctor sees every patient."""

from __future__ import annotations

import importlib

import pytest
from commands import ROOT


def test_whatever_one_check_meets_the_others_are_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def meet(error: Exception) -> str:
        raise error

    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    doctor = importlib.import_module("doctor")
    errors = [OSError("libcudart.so"), ImportError("torch"), doctor.Missing("do this")]
    checks = {str(e): lambda e=e: meet(e) for e in errors}
    monkeypatch.setattr(doctor, "CHECKS", {**checks, "fine": lambda: "all of it"})
    assert doctor.main() == 1
    said = capsys.readouterr().out
    assert "OSError: libcudart.so" in said and f"torch: {doctor.SETUP}" in said
    assert "all of it" in said and "3 of 4 need something" in said
