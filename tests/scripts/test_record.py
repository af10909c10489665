"""Annotated images are shown with what was annotated and what was answered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import call
from PIL import Image

BOX, PATH = (0.4, 0.4, 0.6, 0.6), [[0.5, 0.5], [0.5, 0.35], [0.5, 0.2]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a set of one grey image is, in own/."""
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    Image.new("RGB", (224, 224), (90, 90, 90)).save(own / "a.png")
    row = {"image": "a.png", "instruction": "lift it", "split": "train"}
    row |= {"box": BOX, "waypoints": PATH}
    (own / "items.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


OWN = ("env=offline", "data.path=own", "split=train", "n=1", "quiet=true")


def test_a_sheet_shows_the_annotation_and_the_answer(folder: Path) -> None:
    assert call("record", *OWN, "policy=null", "out=x.png") == ""
    tile = np.array(Image.open(folder / "x.png"))[6:294, 6:294].astype(int)
    drawn = abs(tile - 90).max(axis=2) > 40
    x1, y1, x2, y2 = (round(288 * side) for side in BOX)
    assert drawn[y1 : y2 + 3, x1 : x2 + 3].any()  # the annotation
    assert drawn[:12, :12].any()  # the answer, in the corner
    drawn[:12, :12] = False
    assert not drawn[: round(288 * 0.15)].any() and not drawn[y2 + 8 :].any()


@pytest.mark.parametrize("policy", ["expert", "tiny"])
def test_a_film_of_annotated_images_stands_still(folder: Path, policy: str) -> None:
    assert call("record", *OWN, f"policy={policy}", "out=x.mp4") == ""
    assert (folder / "x.mp4").stat().st_size > 1000
    # A part of a plan has its usual reward, too.
    said = call("record", *OWN, f"policy={policy}", "answer=affordance", "out=y.png")
    assert said == "" and (folder / "y.png").exists()
