"""Files are whole or not there, and what was begun beside them goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policy.runtime.whole import replace_bytes, replace_text


def test_a_file_that_cannot_be_put_in_place_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        replace_text(folder, "a page")
    assert [*tmp_path.iterdir()] == [folder] and not [*folder.iterdir()]


def test_a_write_that_is_interrupted_keeps_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "page.html"
    replace_bytes(file, b"before")
    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        replace_bytes(file, b"after")
    assert [*tmp_path.iterdir()] == [file] and file.read_bytes() == b"before"


def test_what_went_wrong_first_is_what_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_bytes(tmp_path / "nowhere" / "page.html", b"")
