"""What the configuration says of scenes and images reaches those that it is for."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from commands import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

BOTH = ("env=all", "env.only=[offline,press_button]")
PATH = [[0.2, 0.3, 0.05], [0.3, 0.2, 0.1], [0.4, 0.1, 0.15]]


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("launching.sources")


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    """A set of which each part has an image, with heights."""
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    row = {"image": "a.png", "instruction": "lift it", "box": [0.1, 0.1, 0.5, 0.5]}
    rows = [row | {"waypoints": PATH, "split": split} for split in ("train", "test")]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "items.jsonl").write_text(lines)
    return f"data.path={tmp_path}", "quiet=true"


def read(sources: ModuleType, script: str, *words: str) -> Any:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(script, [*words])
    OmegaConf.resolve(config)
    return sources.read_source(config, *sources.list_envs(config))


@pytest.mark.parametrize("split", ["train", "test", "ood"])
def test_images_are_learned_from_as_train_whatever_split_scenes_have(
    split, sources, words
):
    store = importlib.import_module("launching.choices")
    store.register_choices((), all_envs=True, compares=False)
    source = read(sources, "train", *BOTH, *words, f"split={split}")
    assert source.pictures.split == "train" and source.scenes.split == split
    assert source.held_out().pictures.split == "test"


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_evaluation_takes_the_split_that_is_named(split, sources, words):
    source = read(sources, "evaluate", "env=offline", *words, f"split={split}")
    assert source.split == split


@pytest.mark.parametrize("waypoints", ["2d", "3d"])
def test_heights_are_asked_for_where_waypoints_says_so(waypoints, sources, words):
    heights = f"waypoints={waypoints}"
    source = read(sources, "evaluate", "env=offline", *words, heights)
    [seed] = source.choose_seeds(1, 0)
    assert source.prepare(seed)().observation.waypoints == waypoints
