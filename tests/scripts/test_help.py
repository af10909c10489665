"""What --help tells of a command: what it takes, as conf/ explains it."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from commands import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from envs import list_scenes

CHOSEN = {"env.name", "env.only", "env.without", "policy.path", "reward.name"}
COMMANDS = sorted(file.stem for file in (ROOT / "conf").glob("*.yaml"))
COMMANDS = [name for name in COMMANDS if (ROOT / "scripts" / f"{name}.py").exists()]
RUN = """
import runpy, sys, time
script = sys.argv[1]
sys.argv = [script, *sys.argv[2:]]
start = time.process_time()
runpy.run_path(script, run_name="__main__")
assert "torch" not in sys.modules
assert time.process_time() - start < 4
"""


def ask(command: str, *words: str) -> str:
    """What a command says, of which no model is loaded."""
    script = str(ROOT / "scripts" / f"{command}.py")
    done = subprocess.run(
        [sys.executable, "-c", RUN, script, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT}"},
    )
    assert not done.returncode, done.stderr
    return done.stdout


def list_keys(values: dict[str, Any], where: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from list_keys(value, f"{where}{key}.")
        else:
            yield f"{where}{key}"


def test_a_command_offers_what_it_takes_and_nothing_else() -> None:
    said = ask("serve", "--help")
    assert said.splitlines()[2].startswith("Serves a scene to clients of OpenEnv")
    assert re.findall(r"^(\w+)=", said, re.MULTILINE) == ["env", "reward"]
    assert "\n* pick_mug          Grasp the named mug by its handle" in said
    choices = {line[2:].split(" ")[0] for line in said.splitlines() if line[1:2] == " "}
    assert not choices & {"all", "offline", "path", "[one,other]", "<directory>"}


def test_scenes_of_packages_and_what_users_write_are_offered() -> None:
    said = ask("evaluate", "n=3", "-h")
    assert all(scene in said for scene in list_scenes())
    assert "also expert, null, random, wrong_target" in said
    for shown in ("all", "offline", "<directory>", "[one,other]"):
        assert f"\n  {shown:18}" in said
    assert not re.findall(r"^[* ] (?:path|several|paper_tiny) ", said, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_that_does_something_is_shown(command: str, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    guide = importlib.import_module("launching.guide")
    choices = importlib.import_module("launching.choices")
    choices.register_choices(choices.BASELINES, True, True)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        said, config = guide.describe(command, "What it does."), compose(command)
    shown = {
        *list_keys(yaml.safe_load(said.partition("\nKeys, ")[2].partition("\n")[2]))
    }
    taken: Any = OmegaConf.to_container(config)
    useful = {key for key in list_keys(taken) if not guide.is_idle(command, key)}
    if command == "bench":  # its algo says what it has in common with another
        assert shown < useful
    else:
        assert shown == useful - CHOSEN


def test_comments_explain_the_keys() -> None:
    said = ask("serve", "--help")
    file = (ROOT / "conf" / "serve.yaml").read_text()
    explained = [line for line in file.splitlines() if "#" in line and line[0] != " "]
    assert len(explained) > 5 and all(line in said for line in explained)
    assert "  azimuth: null # degrees aside" in said
