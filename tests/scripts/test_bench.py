"""The benchmark runs from the command line; how fast things are is not asserted."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from commands import call

import envs

SMALL = (
    "size.rounds=1",
    "size.prompts=2",
    "size.generations=[2,3]",
    "size.groups=[2]",
    "size.tokens=[3]",
    "size.trl_passes=2",
    "size.seeds=2",
    "rollout.prompts=2",
    "rollout.num_generations=2",
    "rollout.workers=0",
)
# What other programs read, beside the seconds of each of the stages.
PROMISED = (
    *("model_speedup_vs_trl", "model_speedup_vs_plain", "step_speedup_vs_trl"),
    *("execute_speedup", "execute_over_raw", "simulate_share", "reset_ms"),
    "peak_gib",
)


@pytest.fixture(autouse=True)
def _one_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envs.scenes, "__all__", ["press_button"])


def test_every_figure_with_a_bar_is_measured_and_written(tmp_path: Path, capsys):
    out = tmp_path / "new" / "bench.json"
    assert call("bench", *SMALL, f"out={out}") == ""
    result = json.loads(out.read_text())
    assert set(result["bars"]) == {
        *("model_speedup_vs_trl", "step_speedup_vs_trl", "model_speedup_vs_plain"),
        *("execute_speedup", "execute_over_raw", "same_verdicts"),
        *("prompt_growth", "update_growth", "peak_gib"),
    }
    assert {bar["met"] for bar in result["bars"].values()} <= {True, False}
    stages = {"prepare", "tower", "prefill", "decode", "parse", "simulate", "score"}
    assert stages | {"update"} <= set(result["stages"])
    promised = [result[name] for name in {*PROMISED, *result["bars"]}]
    for figure in [*promised, *result["stages"].values()]:
        assert figure["low"] <= figure["median"] <= figure["high"]
    assert 0 < result["simulate_share"]["low"] <= result["simulate_share"]["high"] < 1
    assert min(figure["low"] for figure in result["bound"].values()) > 0, result[
        "bound"
    ]
    products = {name: figure["median"] for name, figure in result["bound"].items()}
    assert products["update_products"] > 2 * products["prefill_products"]
    assert result["machine"]["cores"] >= 1
    assert "model_speedup_vs_trl" in capsys.readouterr().out


def test_a_model_of_random_weights_is_measured_in_small(tmp_path: Path):
    out = tmp_path / "bench.json"
    small = [word for word in SMALL if "prompts" not in word]
    parts = "parts=[growth,trl]"
    assert call("bench", "size=miniature", *small, parts, f"out={out}") == ""
    result = json.loads(out.read_text())
    assert result["model_speedup_vs_trl"]["median"] > 0
    assert set(result["growth"]) == {"g2", "g3"}


def test_without_trl_one_line_says_how_to_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *rest: None if name == "trl" else find(name, *rest),
    )
    out = tmp_path / "bench.json"
    assert call("bench", *SMALL, "parts=[images,trl]", f"out={out}") == ""
    assert "pip install -e '.[test]'" in capsys.readouterr().out
    assert "render_ms" in json.loads(out.read_text())


def test_an_unknown_part_is_answered_with_those_there_are():
    assert "trl_step" in call("bench", "parts=[step,trll]")
