"""What pip installs: no torch in the base, no strange names, one command."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import graspo
from tests.test_project import ROOT, imports

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
PACKAGES = ("envs", "rewards", "policy")
BASE = [  # what works without graspo[train]
    *(path for part in ("envs", "rewards") for path in (ROOT / part).rglob("*.py")),
    *(ROOT / name for name in ("graspo.py", "policy/__init__.py", "policy/home.py")),
]
EPISODE = """
import gymnasium
env = gymnasium.make("graspo:graspo/PickMug-v0")
env.reset(seed=0)
import envs, graspo, rewards
scene = env.unwrapped.scene
text = envs.format_answer(scene.reference.to_plan())
_, reward, terminated, _, info = env.step(text)
assert reward == 1 and terminated, info
mix = rewards.RewardMix(weights={"success": 1.0, "affordance": 0.5})
answer, outcome = envs.parse_answer(text), info["outcome"]
assert rewards.score(answer, scene.reference, outcome, mix).total > 0.9
assert graspo.make_scene("pick_mug", "test", 0).name == "pick_mug"
"""

REWARDS = """
import envs
import policy.serving.verl
from policy.serving.case import Case, write_case
from policy.serving.trl import SceneReward
scene = envs.make_scene("pick_mug", "test", 0)
text = envs.format_answer(scene.reference.to_plan())
case = write_case(Case(scene=scene.config))
assert SceneReward(workers=0)([""], [text], None, scene=[case]) == [1.0]
"""


def distributions(lines: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


@cache
def list_providers() -> dict[str, set[str]]:
    """Importable names, and the installed distributions that bring each."""
    return {
        module: {canonicalize_name(name) for name in names}
        for module, names in packages_distributions().items()
    }


def python(*arguments: str, path: Path = ROOT, cwd: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def python_without_train(code: str, cwd: Path) -> tuple[int, str]:
    """Runs code where nothing can be imported that graspo[train] brings."""
    train = distributions(PROJECT["project"]["optional-dependencies"]["train"])
    absent = [module for module, names in list_providers().items() if names & train]
    assert {"torch", "transformers", "hydra"} <= set(absent)
    hide = f"import sys\nsys.modules.update(dict.fromkeys({absent}))\n"
    return python("-c", hide + code, cwd=cwd)


def list_wheel() -> dict[str, Path]:
    """Places in the wheel and files of the checkout, as hatch reads its tables."""
    found = {}
    for top in (ROOT / included for included in WHEEL["only-include"]):
        for file in [top] if top.is_file() else top.rglob("*.*"):
            place = file.relative_to(ROOT).as_posix()
            if "__pycache__" in file.parts or place in WHEEL["exclude"]:
                continue
            for old, new in WHEEL["sources"].items():
                place = re.sub(f"^{old}/", f"{new}/", place)
            found[place] = file
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel would put into site-packages."""
    folder = tmp_path_factory.mktemp("site")
    for place, file in list_wheel().items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / place)
    return folder


def test_scenes_rewards_and_environments_need_nothing_of_train(tmp_path):
    code, output = python_without_train(EPISODE, tmp_path)
    assert code == 0, output


def test_rewards_for_other_trainers_need_nothing_of_train(tmp_path):
    code, output = python_without_train(REWARDS, tmp_path)
    assert code == 0, output


def test_the_dependencies_cover_what_the_base_imports():
    known = distributions(PROJECT["project"]["dependencies"])
    own = {*PACKAGES, *sys.stdlib_module_names}
    used = set().union(*(imports(path) for path in BASE)) - own
    providers = list_providers()
    assert not {module for module in used if not providers.get(module, set()) & known}


def test_without_train_a_command_says_what_to_install(tmp_path):
    code, output = python_without_train(
        "import graspo\nsys.argv = ['graspo', 'train']\ngraspo.main()", tmp_path
    )
    assert code == 1
    (line,) = output.splitlines()
    assert line.endswith("which is not installed: pip install 'graspo[train]'")


def test_a_wheel_has_only_names_of_ours_at_its_top():
    files = list_wheel()
    assert {place.split("/")[0] for place in files} == {"graspo.py", *PACKAGES}
    assert {"policy/conf/train.yaml", "policy/scripts/train.py"} < set(files)
    assert {"policy/assets/suite.json", "policy/assets/tiny/config.json"} < set(files)
    assert {"envs/kitchen/things/mug.stl", "envs/kitchen/LICENSES.md"} < set(files)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_strangers_package_by_one_of_our_names_is_named(name, tmp_path):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    code, output = python("-c", "import graspo", cwd=tmp_path)
    line = output.splitlines()[-1]
    assert code == 1 and f"'{name}' is {tmp_path / name}" in line
    assert line.endswith("not Graspo's: rename it or run elsewhere")


def test_a_checkout_is_its_own_home_and_the_working_directory_comes_first(
    tmp_path, monkeypatch
):
    from policy.home import HOME, find

    monkeypatch.chdir(tmp_path)
    suite = Path("assets/suite.json")
    assert ROOT == HOME
    assert find("assets/suite.json") == ROOT / suite
    assert find("assets/sweet.json") == Path("assets/sweet.json")
    suite.parent.mkdir()
    suite.touch()
    assert find(suite) == suite


def test_an_installation_brings_its_configuration_suite_and_scripts(
    site, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    home = runpy.run_path(str(site / "policy" / "home.py"))
    assert home["find"]("assets/suite.json") == site / "policy/assets/suite.json"
    arguments = ("-m", "graspo", "evaluate", "env=pick_mugg")
    code, output = python(*arguments, path=site, cwd=tmp_path)
    assert code == 2 and "did you mean 'pick_mug'?" in output, output
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_installation_trains_and_measures_in_an_empty_folder(site, tmp_path):
    small = ("env=pick_mug", "steps=2", "n=4", "rollout.prompts=2")
    code, output = python("-m", "graspo", "train", *small, path=site, cwd=tmp_path)
    assert code == 0, output
    assert list(tmp_path.glob("runs/pick_mug/*/final/config.json"))
    measure = ("evaluate", "policy=expert", "n=2", "suite=assets/suite.json")
    code, output = python("-m", "graspo", *measure, path=site, cwd=tmp_path)
    assert code == 0, output


def test_the_command_lists_the_scripts_by_what_they_say(monkeypatch, capsys):
    scripts = {path.stem for path in (ROOT / "scripts").glob("[a-z]*.py")}
    assert set(graspo.list_commands()) == scripts
    monkeypatch.setattr(sys, "argv", ["graspo", "trian"])
    with pytest.raises(SystemExit, match="unknown command 'trian'") as stop:
        graspo.main()
    monkeypatch.setattr(sys, "argv", ["graspo"])
    graspo.main()
    for said in (str(stop.value), capsys.readouterr().out):
        assert scripts <= set(re.findall(r"^  (\w+)  ", said, re.MULTILINE))
        assert "Trains a policy: `graspo train env=pick_mug`." in said


def test_a_part_of_ours_that_is_missing_is_not_called_a_package(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["graspo"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "broken.py").write_text("import policy.nowhere")
    with pytest.raises(ModuleNotFoundError, match=r"policy\.nowhere"):
        graspo.run(tmp_path / "broken.py", [])
