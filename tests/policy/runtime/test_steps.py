"""The steps that a run goes on from: whole, known again, passed over when damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from files import flip

from policy.runtime.seal import DamagedError, read_facts, read_seal
from policy.runtime.steps import find_newest, list_steps, save_step


def write(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "weights.bin").write_bytes(bytes(range(256)))
    (folder / "inner" / "words.json").write_text("{}")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "one flipped bit": lambda p: flip(p / "weights.bin"),
    "cut short": lambda p: cut(p / "weights.bin"),
    "empty": lambda p: (p / "weights.bin").write_bytes(b""),
    "another file changed": lambda p: (p / "inner" / "words.json").write_text("[]"),
    "a file gone": lambda p: (p / "inner" / "words.json").unlink(),
    "a file more": lambda p: (p / "evil.bin").write_text("x"),
    "no seal": lambda p: (p / "seal.json").unlink(),
    "no JSON in the seal": lambda p: (p / "seal.json").write_text("{"),
    "another thing in the seal": lambda p: (p / "seal.json").write_text("[1]"),
    "a seal of nothing": lambda p: (p / "seal.json").write_text("{}"),
    "a seal cut short": lambda p: cut(p / "seal.json"),
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_step(tmp_path, 3, write, config="abc")


def test_what_was_saved_is_known_again(saved: Path) -> None:
    assert read_seal(saved) == read_facts(saved) == {"config": "abc"}
    found = find_newest(saved.parent, pytest.fail)
    assert found is not None
    assert (found.step, found.path, found.facts) == (3, saved, {"config": "abc"})


@pytest.mark.parametrize("how", DAMAGE)
def test_every_damage_is_found_and_its_file_named(saved: Path, how: str) -> None:
    DAMAGE[how](saved)
    with pytest.raises(DamagedError, match=str(saved)):
        read_seal(saved)


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_step_is_named_and_the_one_before_taken(
    saved: Path, how: str
) -> None:
    shutil.copytree(saved, saved.with_name("step_12"))
    DAMAGE[how](saved.with_name("step_12"))
    said: list[str] = []
    found = find_newest(saved.parent, said.append)
    assert found is not None and found.step == 3
    assert len(said) == 1 and "step_12" in said[0] and "passed over" in said[0]
    DAMAGE[how](saved)
    with pytest.raises(ValueError, match="all steps in .* are damaged"):
        find_newest(saved.parent, said.append)


def test_only_whole_directories_count(saved: Path) -> None:
    (saved.parent / "step_07").touch()
    (saved.parent / "step_x").mkdir()
    (saved.parent / ".step_8.partial").mkdir()
    assert list_steps(saved.parent) == [3]
    assert find_newest(saved.parent / "none", pytest.fail) is None


def test_the_newest_stay_and_what_a_kill_has_left_goes(tmp_path: Path) -> None:
    (tmp_path / ".step_9.partial").mkdir()
    for step in range(1, 5):
        save_step(tmp_path, step, write, keep=2)
    assert {path.name for path in tmp_path.iterdir()} == {"step_3", "step_4"}


def test_a_step_that_cannot_be_written_leaves_those_before(saved: Path) -> None:
    def fill(folder: Path) -> None:
        write(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        save_step(saved.parent, 4, fill, keep=1)
    assert [path.name for path in saved.parent.iterdir()] == ["step_3"]
