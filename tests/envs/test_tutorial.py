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


INSTALL = "pip install -e ./kitchen"
# As the environment does that a package is installed into: reads what pip leaves there.
READ_SITE = """
import site
from pathlib import Path

site.addsitedir(str(Path(__file__).parent))
"""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the tutorial has written so far when it installs its package.

    The package is installed in `site`.
    """
    folder = tmp_path_factory.mktemp("tutorial")
    write_files(folder, split_tutorial()[0])
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    where = ("--target", "site")
    pip = (sys.executable, "-m", *INSTALL.split(), *options, *where)
    done = subprocess.run(pip, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "site" / "sitecustomize.py").write_text(READ_SITE)
    return folder


@pytest.fixture(scope="module")
def installed(begun: Path) -> Path:
    """The same folder with all of the tutorial's files; nothing is installed again."""
    write_files(begun, split_tutorial()[1])
    shutil.copytree(ROOT / "assets" / "pawn", begun / "kitchen" / "kitchen" / "pawn")
    return begun


def split_tutorial() -> list[str]:
    """The text before and after the package is installed."""
    parts = (ROOT / "envs" / "README.md").read_text().split(INSTALL)
    assert len(parts) == 2
    return parts


def write_files(folder: Path, text: str) -> None:
    """Writes the files of a text, of which a later one takes an earlier one's place."""
    for block in re.findall(r"```(?:python|toml)\n(.*?)```", text, re.DOTALL):
        if named := re.match(r"# (kitchen/\S+)\n", block):
            path = folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)


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


# These two first, while there are no other files yet.
def test_python_knows_the_first_scene_beside_the_folder_of_its_package(begun: Path):
    code, output = run(begun, "-c", "import envs; envs.registry.get_task('lift_can')")
    assert code == 0, output


def test_the_first_scene_is_filmed_once_it_is_installed(begun: Path) -> None:
    film = ("env=lift_can", "policy=random", "n=1", "out=can.jpg")
    code, output = run(begun, str(ROOT / "scripts" / "record.py"), *film)
    assert code == 0, output
    assert "warning" not in output.lower(), output
    assert (begun / "can.jpg").stat().st_size > 0


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
    folder = tmp_path / "tutorial"
    shutil.copytree(installed / "site", folder / "site")
    (folder / "kitchen").mkdir()
    (folder / "kitchen" / "__init__.py").write_text("import no_such_module\n")
    ask = "import envs; assert len(envs.list_scenes()) >= 13"
    code, output = run(folder, "-c", ask)
    assert code == 0, output
    assert "scene plug-in 'kitchen'" in output and "no_such_module" in output
