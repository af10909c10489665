"""The tutorial of envs/README.md, followed to the letter: a package of one's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT

SMALL = (
    "steps=2",
    "n=0",
    "rollout.prompts=2",
    "rollout.num_generations=2",
    "rollout.workers=1",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tutorial's files and its package installed in `site`."""
    folder = tmp_path_factory.mktemp("tutorial")
    text = (ROOT / "envs" / "README.md").read_text()
    for block in re.findall(r"```(?:python|toml)\n(.*?)```", text, re.DOTALL):
        if named := re.match(r"# (kitchen/\S+)\n", block):
            path = folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
    shutil.copytree(ROOT / "assets" / "pawn", folder / "kitchen" / "kitchen" / "pawn")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    pip = (sys.executable, "-m", "pip", "install", *options, "--target", "site")
    done = subprocess.run(
        [*pip, "./kitchen"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


def run(installed: Path, *command: str) -> tuple[int, str]:
    path = os.pathsep.join((str(installed / "site"), str(ROOT)))
    done = subprocess.run(
        [sys.executable, *command],
        cwd=installed,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=240,
    )
    return done.returncode, done.stdout + done.stderr


def train(installed: Path, *arguments: str) -> tuple[int, str]:
    return run(installed, str(ROOT / "scripts" / "train.py"), *SMALL, *arguments)


def test_the_tutorials_own_test_passes(installed: Path) -> None:
    code, output = run(installed, "-m", "pytest", "-q", "kitchen/test_kitchen.py")
    assert code == 0, output


def test_a_robot_of_a_package_does_scenes_of_the_library_and_of_the_package(
    installed: Path,
) -> None:
    code, output = run(installed, "-m", "pytest", "-q", "kitchen/test_xarm7.py")
    assert code == 0, output


def test_a_scene_without_an_expert_trains_on_success(installed: Path) -> None:
    code, output = train(installed, "env=lift_can", "reward=success", "run_dir=can")
    assert code == 0, output
    assert len((installed / "can" / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_scene_without_an_expert_takes_a_reward_that_needs_none(installed: Path):
    code, output = train(installed, "env=lift_can", "run_dir=physical")
    assert code == 0, output
    assert "reward=physical: 'lift_can' has no expert" in output
    text = (installed / "physical" / "config.yaml").read_text()
    assert "name: physical" in text


def test_a_scene_without_an_expert_is_filmed(installed: Path) -> None:
    film = ("env=lift_can", "policy=random", "n=1", "out=can.jpg")
    code, output = run(installed, str(ROOT / "scripts" / "record.py"), *film)
    assert code == 0, output
    assert (installed / "can.jpg").stat().st_size > 0


def test_a_mix_that_needs_an_expert_says_so_in_one_line(installed: Path) -> None:
    code, output = train(installed, "env=lift_can", "reward=mixed", "run_dir=mixed")
    assert code == 2
    [line] = [line for line in output.splitlines() if "error" in line]
    assert "lift_can" in line and "expert" in line and "reward=success" in line
    assert "Traceback" not in output


def test_a_scene_from_an_mjcf_file_trains_with_the_default_reward(
    installed: Path,
) -> None:
    code, output = train(installed, "env=lift_pawn", "run_dir=pawn")
    assert code == 0, output
    assert (installed / "pawn" / "final" / "model.safetensors").is_file()


def test_a_package_that_cannot_be_imported_is_named_and_breaks_nothing(
    installed: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    shutil.copytree(installed / "site", site)
    (site / "kitchen" / "__init__.py").write_text("import no_such_module\n")
    (tmp_path / "site").rename(tmp_path / "broken")
    done = subprocess.run(
        [sys.executable, "-c", "import envs; print(len(envs.list_scenes()))"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "broken")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and int(done.stdout) >= 13
    assert "scene plug-in 'kitchen'" in done.stderr and "no_such_module" in done.stderr
