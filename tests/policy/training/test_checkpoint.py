"""Runs go on from their newest sound checkpoint, as if they had never stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from commands import ROOT
from files import flip
from runs import JOB, execute, read_log

import policy
from policy.model.adapters import LoraSpec
from policy.runtime.steps import list_steps, save_step
from policy.runtime.whole import restore, write_whole
from policy.training.checkpoint import (
    build_learner,
    find_sound,
    load_checkpoint,
    save_checkpoint,
)
from policy.training.run_dir import RunDir
from policy.training.stop import Stopped, StopSignals


def test_a_run_whose_configuration_was_edited_is_refused(tmp_path: Path) -> None:
    save_step(tmp_path, 3, lambda folder: None, config="abc")
    assert find_sound(tmp_path, "abc") == 3
    with pytest.raises(ValueError, match=r"config\.yaml .* is not that of step_3"):
        find_sound(tmp_path, "other")


@pytest.mark.parametrize("stage", ["before", "between", "after"])
def test_a_kill_while_a_directory_is_rewritten_leaves_the_old_or_the_new(
    tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "final"
    write_whole(path, lambda p: (p / "weights").write_text("old"))
    renames = {"before": 0, "between": 1, "after": 2}[stage]
    usual = Path.rename

    def rename(self: Path, target: Path) -> Path:
        nonlocal renames
        if not renames:
            raise KeyboardInterrupt
        renames -= 1
        return usual(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        if stage != "after":
            with pytest.raises(KeyboardInterrupt):
                write_whole(path, lambda p: (p / "weights").write_text("new"))
        else:
            write_whole(path, lambda p: (p / "weights").write_text("new"))
    expected = "new" if stage == "after" else "old"
    restore(path)
    assert (path / "weights").read_text() == expected
    write_whole(path, lambda p: (p / "weights").write_text("newer"))
    assert [one.name for one in tmp_path.iterdir()] == ["final"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "four"
    execute(path, replace(JOB, steps=4, n=0, keep=2))
    return path


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Path:
    shutil.copytree(run, tmp_path / "copy")
    (tmp_path / "copy" / "summary.json").unlink()
    return tmp_path / "copy"


def resume(path: Path) -> None:
    execute(path, replace(JOB, steps=4, n=0, keep=2), resume=True)


def test_adapters_are_not_put_on_other_weights(tmp_path: Path) -> None:
    lora = LoraSpec(rank=4, alpha=8, seed=0)
    own, other = (
        build_learner(policy.load(name, lora=lora, device="cpu"), JOB.algo)
        for name in ("tiny", "tiny_grpo")
    )
    save_checkpoint(own, tmp_path, 3)
    load_checkpoint(own, tmp_path, 3)
    with pytest.raises(ValueError, match=r"step_3 was made from other weights"):
        load_checkpoint(other, tmp_path, 3)


def test_the_newest_checkpoints_stay(run: Path) -> None:
    assert list_steps(run / "checkpoints") == [3, 4]


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(
    run: Path, copied: Path
) -> None:
    flip(copied / "checkpoints" / "step_4" / "trainer.safetensors")
    resume(copied)
    assert read_log(copied) == read_log(run)
    name = "final/model.safetensors"
    assert (copied / name).read_bytes() == (run / name).read_bytes()


def test_the_start_of_a_run_is_looked_for_once(copied: Path) -> None:
    flip(copied / "checkpoints" / "step_4" / "trainer.safetensors")
    run, said = RunDir(copied), []
    assert [run.find_start(said.append) for _ in range(2)] == [3, 3]
    [line] = said
    assert "step_4" in line


def test_a_damaged_checkpoint_of_a_later_step_takes_no_sound_ones_place(
    copied: Path,
) -> None:
    folder = copied / "checkpoints"
    (folder / "step_4").rename(folder / "step_9")
    flip(folder / "step_9" / "trainer.safetensors")
    execute(copied, replace(JOB, steps=4, n=0, keep=1), resume=True)
    assert list_steps(folder) == [4, 9]


def test_missing_checkpoints_erase_nothing(copied: Path) -> None:
    shutil.rmtree(copied / "checkpoints")
    before = (copied / "metrics.jsonl").read_bytes()
    with pytest.raises(ValueError, match=r"has 4 steps, but there is no checkpoint"):
        resume(copied)
    assert (copied / "metrics.jsonl").read_bytes() == before


def test_a_run_killed_before_its_first_checkpoint_goes_on(
    run: Path, copied: Path
) -> None:
    shutil.rmtree(copied / "checkpoints")
    path = copied / "metrics.jsonl"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    resume(copied)
    assert read_log(copied) == read_log(run)


def test_metrics_behind_the_checkpoint_are_no_silent_gap(copied: Path) -> None:
    path = copied / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(ValueError, match="lacks lines of steps before the checkpoint"):
        resume(copied)


def test_a_damaged_line_is_named(copied: Path) -> None:
    path = copied / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], '{"step"\n', *lines[2:]]))
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2 is damaged"):
        resume(copied)


def test_a_directory_has_one_writer(tmp_path: Path) -> None:
    first = RunDir.create(tmp_path / "run")
    second = RunDir(tmp_path / "run")
    with pytest.raises(FileExistsError, match="another process is writing to"):
        second.take()
    first.write_config("steps: 3\n")
    first.close()
    second.take()
    second.set_steps(8)
    assert (tmp_path / "run" / "config.yaml").read_text() == "steps: 8\n"
    second.close()


def test_more_steps_leave_the_digest_of_a_configuration_as_it_is(
    tmp_path: Path,
) -> None:
    run = RunDir.create(tmp_path / "run")
    run.write_config("seed: 1\nsteps: 3\nalgo:\n  warmup_steps: 3\n")
    digest = run.digest_config()
    run.set_steps(8)
    assert run.digest_config() == digest
    run.write_config("seed: 2\nsteps: 3\nalgo:\n  warmup_steps: 3\n")
    assert run.digest_config() != digest
    run.close()


def test_a_run_that_wrote_nothing_leaves_no_directory(tmp_path: Path) -> None:
    RunDir.create(tmp_path / "run").close()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_is_noted_and_what_listened_before_listens_again(name: str) -> None:
    number, usual = getattr(signal, name), signal.getsignal(getattr(signal, name))
    with StopSignals() as stop:
        stop.check()
        signal.raise_signal(number)
        with pytest.raises(Stopped, match=name):
            stop.check()
    assert signal.getsignal(number) == usual


def test_a_terminated_training_leaves_a_checkpoint_and_its_word(
    run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "stopped"
    code = f"from test_checkpoint import begin; begin({str(path)!r})"
    here = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)]),
    }
    folder = Path(__file__).parent
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=here)
    while not (path / "metrics.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 7
    done = len(read_log(path))
    assert list_steps(path / "checkpoints")[-1] == done < 4
    resume(path)
    assert read_log(path) == read_log(run)


def begin(path: str) -> None:
    try:
        execute(Path(path), replace(JOB, steps=4, n=0, keep=2))
    except Stopped:
        sys.exit(7)
