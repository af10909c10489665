"""The benchmark runs from the command line; how fast things are is not asserted."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from commands import ROOT, call
from families import FAMILIES
from miniatures import build_qwen3_vl

import envs
import policy.model.share
from policy.grpo.muon import Muon
from policy.records import LoraSpec, Prompt

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


SIZE = SimpleNamespace(
    rounds=1,
    prompts=2,
    generations=(2, 3),
    groups=(2,),
    tokens=(3,),
    passes=1,
    trl_passes=2,
    image=None,
)
RATE = 1e-6  # of the comparisons
Part = Callable[[str], ModuleType]


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Part:
    """Finds a file of scripts/benchmarks."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return lambda name: import_module(f"benchmarks.{name}")


@pytest.fixture
def threads() -> Iterator[int]:
    """More than there are prompts."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield 4
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy")
    build_qwen3_vl(path)
    return path


def make_prompts(count: int) -> list[Prompt]:
    image = np.random.default_rng(0).integers(256, size=(84, 84, 3), dtype=np.uint8)
    return [Prompt(image=image, instruction="Press the button") for _ in range(count)]


def make_work(home: Path, **options: Any) -> SimpleNamespace:
    """What the parts of the benchmark get, of a miniature."""
    return SimpleNamespace(
        home=home,
        dtype="float32",
        lora=options.get("lora"),
        gradient_checkpointing=options.get("gradient_checkpointing", False),
        load=lambda: policy.load(home, device="cpu", **options),
        build_prompts=make_prompts,
        size=SIZE,
        trl_bf16=False,
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
    timed = {"prepare", "tower", "prefill", "decode", "parse", "simulate", "score"}
    assert timed | {"update"} <= set(result["stages"])
    promised = [result[name] for name in {*PROMISED, *result["bars"]}]
    for figure in [*promised, *result["stages"].values()]:
        assert figure["low"] <= figure["median"] <= figure["high"]
    assert 0 < result["simulate_share"]["low"] <= result["simulate_share"]["high"] < 1
    assert min(figure["low"] for figure in result["bound"].values()) > 0, result[
        "bound"
    ]
    products = {name: figure["median"] for name, figure in result["bound"].items()}
    assert products["update_products"] > 2 * products["prefill_products"]
    stages = sum(products[f"{s}_products"] for s in ("prefill", "decode", "update"))
    assert products["g2_t3_products"] == stages
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


TRAINED = {
    "language": {"trainable": ["language"]},
    "tower": {"trainable": ["tower"], "gradient_checkpointing": True},
    "adapters": {"lora": LoraSpec(rank=2, alpha=4)},
}


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize("options", TRAINED.values(), ids=TRAINED)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_weights_train_on_both_sides(
    family: str, options: dict[str, Any], part: Part, tmp_path: Path, monkeypatch
):
    FAMILIES[family](tmp_path)
    trl, trainers = part("trl_turns"), []
    monkeypatch.setattr(trl.GRPOTrainer, "train", lambda own: trainers.append(own))
    work = make_work(tmp_path, **options)
    vlm = work.load()
    settings = trl.describe_run(work, vlm, 2, 3)
    trl.alternate(work, vlm, make_prompts(4), settings, None, None)
    [trainer] = trainers
    assert list_trained(trainer.model) == list_trained(vlm.model)
    lean = options.get("gradient_checkpointing", False)
    assert trainer.args.gradient_checkpointing is lean


def list_trained(model: Any) -> dict[str, int]:
    """Names and sizes of what trains, whatever wraps the model."""
    return {
        name.removeprefix("base_model.model."): weight.numel()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def test_fewer_prompts_than_threads_take_the_time_that_passes(
    home: Path, part: Part, threads: int, monkeypatch: pytest.MonkeyPatch
):
    prefill, pause = policy.model.share.prefill, 0.2

    def dawdle(*args: Any) -> Any:
        time.sleep(pause)
        return prefill(*args)

    monkeypatch.setattr(policy.model.share, "prefill", dawdle)
    figures = part("growth").measure_growth(make_work(home))
    assert figures["growth.g2.prefill"].low >= pause  # of each of two lanes


def test_stages_and_their_products_have_the_core_of_a_lane(
    home: Path, part: Part, threads: int, monkeypatch: pytest.MonkeyPatch
):
    bound, cores, lanes = part("bound"), [], []
    workload, time_call = part("workload"), bound.time_call
    update = workload.update

    def note_cores(run: Callable[[], object]) -> float:
        cores.append(torch.get_num_threads())
        return time_call(run)

    def note_lanes(*args: Any, **options: Any) -> object:
        lanes.append(options["lanes"])
        return update(*args, **options)

    monkeypatch.setattr(bound, "time_call", note_cores)
    monkeypatch.setattr(workload, "update", note_lanes)
    bound.measure_bounds(make_work(home))
    assert set(cores) == set(lanes) == {1}
    assert torch.get_num_threads() == threads


def test_updates_of_comparisons_are_those_of_training(home: Path, part: Part):
    vlm, prompts = policy.load(home, device="cpu", dtype="bfloat16"), make_prompts(2)
    learner = part("workload").FixedLength(vlm)
    learner.update(prompts, learner.sample(prompts, 2, 3))
    states = learner.optimizer.state.values()
    assert states and all("master" in state for state in states)
    rates = {group["name"]: group["lr"] for group in learner.optimizer.param_groups}
    assert rates == dict.fromkeys(("tower", "language", "embeddings"), RATE)


def test_a_whole_step_has_the_rates_of_a_first_step(monkeypatch: pytest.MonkeyPatch):
    rates, step = [], Muon.step

    def note(optimizer: torch.optim.Optimizer, *args: Any) -> Any:
        rates.extend(group["lr"] for group in optimizer.param_groups)
        return step(optimizer, *args)

    monkeypatch.setattr(Muon, "step", note)
    assert call("bench", *SMALL, "parts=[step]", "algo.warmup_steps=8") == ""
    assert rates and set(rates) == {4e-4 / 8}


def test_images_and_bare_drawings_take_turns(
    part: Part, monkeypatch: pytest.MonkeyPatch
):
    simulator, drawn = part("simulator"), []

    @contextmanager
    def open_renderer(*_: object) -> Iterator[Callable[[], None]]:
        yield lambda: drawn.append("bare")

    monkeypatch.setattr(simulator, "open_renderer", open_renderer)
    monkeypatch.setattr(simulator, "render", lambda *_: drawn.append("ours"))
    source = SimpleNamespace(names=("press_button",))
    simulator.measure_images(SimpleNamespace(size=SIZE, source=source))
    assert drawn[1:] == ["ours", "bare"] * simulator.IMAGES  # the first warms up
