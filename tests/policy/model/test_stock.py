"""Saved policies are plain Hugging Face directories: transformers alone loads them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT
from PIL import Image

import policy
from policy.model.stock import FILES
from policy.records import LoraSpec, Prompt

# Of an environment of its own with transformers and torchvision, where this has none.
STOCK_PYTHON = os.environ.get("STOCK_PYTHON", sys.executable)
RNG = np.random.default_rng(0)
PROMPT = Prompt(
    image=RNG.integers(0, 256, (224, 224, 3), np.uint8), instruction="Lift the red mug"
)
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "policy" / "README.md").read_text(), re.DOTALL
)


def run_block(block: str, home: Path, folder: Path, python: str) -> str:
    """What lines of the README print of a policy, in a process without Graspo."""
    Image.fromarray(PROMPT.image).save(folder / "scene.png")
    forget = "import sys\nsys.modules['policy'] = sys.modules['envs'] = None\n"
    done = subprocess.run(
        [python, "-I", "-c", forget + block.replace("assets/tiny", str(home))],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def say(home: Path) -> str:
    vlm = policy.load(home, device="cpu")
    ((completion,),) = vlm.sample([PROMPT], 1, temperature=0, max_new_tokens=96)
    return completion.text


@pytest.fixture(scope="module", params=["whole", "adapters"])
def saved(request, tmp_path_factory) -> Path:
    """The default policy, saved again."""
    home = tmp_path_factory.mktemp("saved") / request.param
    lora = LoraSpec(rank=2) if request.param == "adapters" else None
    policy.load("tiny", device="cpu", lora=lora).save(home)
    return home


def test_transformers_alone_says_what_the_policy_says(saved: Path, tmp_path) -> None:
    _, by_hand = BLOCKS
    assert run_block(by_hand, saved, tmp_path, sys.executable) == say(saved)


def test_a_pipeline_of_transformers_says_what_the_policy_says(
    saved: Path, tmp_path
) -> None:
    found = [STOCK_PYTHON, "-c", "import torchvision, transformers"]
    if subprocess.run(found, capture_output=True).returncode:
        pytest.skip("no torchvision; STOCK_PYTHON names a Python that has it")
    pipeline, _ = BLOCKS
    for home in (saved, ROOT / "assets" / "tiny_grpo"):
        assert run_block(pipeline, home, tmp_path, STOCK_PYTHON) == say(home)


@pytest.mark.parametrize("name", ["tiny", "tiny_grpo"])
def test_shipped_policies_have_what_loaders_of_their_family_read(name: str) -> None:
    file = ROOT / "assets" / name / "preprocessor_config.json"
    assert json.loads(file.read_text())["image_processor_type"].startswith("Qwen2VL")


def test_files_of_the_processor_are_saved_as_they_came(homes, tmp_path) -> None:
    home = tmp_path / "home"
    shutil.copytree(homes["qwen2_5_vl"], home)
    came = {name: json.dumps({"made_by": name}) for name in FILES}
    came["preprocessor_config.json"] = (home / "preprocessor_config.json").read_text()
    for name, content in came.items():
        (home / name).write_text(content + "\n")
    vlm = policy.load(home, device="cpu")
    shutil.rmtree(home)  # a checkpoint that a run goes on from may be gone by then
    vlm.save(tmp_path / "saved")
    for name, content in came.items():
        assert (tmp_path / "saved" / name).read_text() == content + "\n"


def test_a_policy_saved_without_files_of_its_own_has_those_of_its_parts(
    homes, tmp_path
) -> None:
    vlm = policy.load(homes["qwen3_vl"], device="cpu")
    vlm.save(tmp_path / "first")
    for name in ("preprocessor_config.json", "processor_config.json"):
        assert (tmp_path / "first" / name).is_file()
    os.unlink(tmp_path / "first" / "preprocessor_config.json")  # as it was saved once
    policy.load(tmp_path / "first", device="cpu").save(tmp_path / "second")
    kept = json.loads((tmp_path / "second" / "preprocessor_config.json").read_text())
    assert kept["image_processor_type"] == "Qwen2VLImageProcessor"
