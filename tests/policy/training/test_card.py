"""The card of a trained policy is read back as the Hub would read it."""

import json

import pytest
import yaml
from huggingface_hub import ModelCard

from policy.evaluation.pairs import compare_pairs
from policy.training.card import write_card

INTERVALS = {"success": [0.5, 0.7], "parse_rate": [0.9, 1.0], "iou": [70.0, 80.0]}
FIGURES = {"success": 0.6, "parse_rate": 0.99, "iou": 75.0, "intervals": INTERVALS}


@pytest.fixture
def run(tmp_path):
    """What a run leaves beside its policy."""
    config = {
        "policy": {"path": "assets/tiny"},
        "rollout": {"prompts": 16, "num_generations": 8},
        "reward": {"name": "mixed", "weights": {"success": 1.0}},
        "split": "ood",
        "env": {"name": "pick_mug"},
    }
    pairs = compare_pairs([False, False, True], [True, True, True])
    summary = {
        **{"env": "pick_mug", "seed": 3, "steps": 50, "seconds": 90.0},
        "before": FIGURES | {"n": 3, "split": "ood"},
        "after": FIGURES | {"n": 3, "split": "ood", "success": 0.7},
        "paired": {"success": pairs.to_row()},
    }
    manifest = {"command": "python scripts/train.py seed=3", "commit": "c" * 40}
    (tmp_path / "final").mkdir()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"dirty": True}))
    return tmp_path


def change(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_a_card_has_licence_command_base_and_figures(run):
    write_card(run)
    card = ModelCard.load(run / "final" / "README.md")
    assert card.data.license == "apache-2.0"  # from the card of assets/tiny
    assert card.data.pipeline_tag == "image-text-to-text" and not card.data.base_model
    for said in (
        "`python scripts/train.py seed=3`",
        f"{'c' * 40}, with changes",
        "| base policy | `assets/tiny` |",
        "| success | 0.600 (0.500 to 0.700) | 0.700 (0.500 to 0.700) |",
        "2 were gained and 0 lost: +0.667",
    ):
        assert said in card.text
    assert "dfd" not in card.text and "{" not in card.text


def test_a_run_that_measured_nothing_has_a_card_too(run):
    change(run / "summary.json", before={"n": 0}, after={"n": 0}, paired={})
    (run / "manifest.json").unlink()
    write_card(run)
    text = (run / "final" / "README.md").read_text()
    assert "Not measured (`n=0`)" in text and "`not recorded`" in text


def test_a_file_that_is_damaged_is_named(run):
    (run / "manifest.json").write_text("[" * 200_000)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        write_card(run)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"name": "pick_mug"}, "`pick_mug`, split `ood`"),
        ({"name": "offline"}, "`offline`, split `train`"),
        (
            {"name": "all", "only": ["offline", "hang_mug", "offline"], "without": []},
            "`hang_mug`, split `ood`; `offline`, split `train`",
        ),
        ({"name": "all", "only": [], "without": ["hang_mug"]}, "`all`, split `ood`"),
    ],
)
def test_a_card_names_the_split_that_was_learned_from(run, env, said):
    path = run / "config.yaml"
    config = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(config | {"env": env}))
    write_card(run)
    text = (run / "final" / "README.md").read_text()
    assert f"| scenes | {said} |" in text


def test_a_policy_from_the_hub_is_named_as_the_base(run, monkeypatch):
    path = run / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["policy"]["path"] = "owner/model"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setattr("policy.training.card.find_directory", lambda name: run)
    write_card(run)
    data = ModelCard.load(run / "final" / "README.md").data
    assert data.base_model == "owner/model" and not data.license


@pytest.mark.parametrize("said", [b"---\na: [\n---\n", b"---\n- a\n---\n", b"\xff"])
def test_a_base_whose_card_cannot_be_read_has_no_known_licence(run, said, monkeypatch):
    (run / "README.md").write_bytes(said)
    monkeypatch.setattr("policy.training.card.find_directory", lambda name: run)
    write_card(run)
    assert "see there" in (run / "final" / "README.md").read_text()
