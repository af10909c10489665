"""Supervised training: examples mean what they say, a killed run goes on exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import policy
from policy.evaluation.figures import Evaluation
from policy.evaluation.statistics import estimate_mean, estimate_rate
from policy.model.tiny.model import build_model, save_policy
from policy.model.tiny.size import TinySize
from policy.model.tiny.tokenizer import END, build_tokenizer, list_colour_ids
from policy.records import Prompt
from policy.rollout.scene_source import SceneSource
from policy.sft.card import Provenance, write_card
from policy.sft.data import (
    IGNORED,
    Batch,
    Collator,
    Example,
    ExampleSource,
    ExampleStream,
)
from policy.sft.example import mirror_example
from policy.sft.loss import Student, blur_targets, patchify
from policy.sft.optim import schedule_blur, schedule_rate
from policy.sft.settings import SFTConfig
from policy.sft.state import Progress, find_state, load_state, save_state, trim_log
from policy.sft.trainer import Trainer

TOKENIZER = build_tokenizer()
SIZE = TinySize(width=48, tower_layers=1, language_layers=2, tower_hidden=96)
COLLATE = Collator(tokenizer=TOKENIZER, size=SIZE)
SOURCE = ExampleSource(SceneSource(names=("pick_mug",)))
CONFIG = SFTConfig(steps=4, batch=2, every=2, held_out=2, workers=0, save_s=0.0)


def build_trainer(run_dir: Path, config: SFTConfig = CONFIG) -> Trainer:
    """A trainer of a very small student."""
    model = build_model(SIZE, TOKENIZER, seed=0)
    student = Student(model, SIZE, classes=4, points=49)
    return Trainer(student, COLLATE, config, run_dir)


@pytest.mark.parametrize("mirrored", [False, True])
def test_cues_mark_the_named_part_alone(mirrored: bool) -> None:
    for seed in range(8):
        example = mirror_example(SOURCE(seed)) if mirrored else SOURCE(seed)
        batch = COLLATE([example])
        marked = batch.cues > 0
        assert marked.any()
        asked = 2 if "handle" in example.instruction else 3
        assert (batch.cells[marked] == asked).all()
        assert marked.sum() <= (batch.cells == asked).sum()


def test_example_numbers_name_examples_whatever_was_read_before() -> None:
    stream, other = (ExampleStream(SOURCE, seed=1) for _ in range(2))
    first = [stream[i] for i in (0, 1, 2048)]
    again = [other[i] for i in (2048, 1, 0)][::-1]
    for a, b in zip(first, again):
        assert np.array_equal(a.image, b.image) and a.plan == b.plan
    assert first[2].plan.thought == mirror_example(first[0]).plan.thought
    plain = ExampleStream(SOURCE, seed=1, varied=False)
    one, mirrored = plain[0], plain[2048]
    assert mirrored.plan == mirror_example(one).plan != one.plan
    assert np.array_equal(mirrored.image, one.image[:, ::-1])


def test_names_of_colours_move_as_one(tmp_path) -> None:
    model = build_model(SIZE, TOKENIZER, seed=0)
    spellings = [list(ids) for ids in list_colour_ids(TOKENIZER)]
    student = Student(model, SIZE, classes=4, points=49, tied=spellings)
    layers = (model.model.language_model.embed_tokens, model.lm_head)
    before = [layer.weight.detach().clone() for layer in layers]
    Trainer(student, COLLATE, CONFIG, tmp_path).run(SOURCE, SOURCE, seed=0)
    for layer, old in zip(layers, before):
        moved = layer.weight - old
        for rows in spellings:
            assert torch.allclose(moved[rows], moved[rows[:1]], atol=1e-6)
    bare, spaced, _ = (moved[rows[0]] for rows in spellings)
    assert not torch.allclose(bare, spaced, atol=1e-6)


def test_labels_are_the_tokens_that_follow() -> None:
    batch = COLLATE([SOURCE(0), SOURCE(1)])
    inside = batch.labels[:, :-1] != IGNORED
    assert torch.equal(batch.labels[:, :-1][inside], batch.input_ids[:, 1:][inside])
    end = TOKENIZER.get_vocab()[END]
    assert [row.tolist().count(end) for row in batch.labels] == [1, 1]


def test_training_asks_as_sampling_does(tmp_path) -> None:
    save_policy(tmp_path, build_model(SIZE, TOKENIZER, seed=0), TOKENIZER, SIZE)
    processor = policy.load(tmp_path, device="cpu").processor
    example = SOURCE(0)
    prompt = Prompt(image=example.image, instruction=example.instruction)
    encoded = processor.encode([prompt])["input_ids"][0].tolist()
    assert COLLATE.encode_prompt(prompt) == encoded


def test_a_blind_policy_is_trained_and_asked_without_seeing(tmp_path) -> None:
    model = build_model(SIZE, TOKENIZER, seed=0)
    save_policy(tmp_path, model, TOKENIZER, SIZE, blind=True)
    processor = policy.load(tmp_path, device="cpu").processor
    example = SOURCE(0)
    prompt = Prompt(image=example.image, instruction=example.instruction)
    asked = processor.encode([prompt])["pixel_values"]
    trained = replace(COLLATE, blind=True)([example]).images
    torch.testing.assert_close(patchify(trained, SIZE)[0], asked)
    assert len(asked.unique()) == 1


@given(st.integers(0, 1000), st.floats(0, 50))
@settings(max_examples=50)
def test_blurred_targets_are_distributions_that_peak_at_the_truth(value, blur) -> None:
    target = blur_targets(torch.tensor([value]), blur)
    assert torch.isclose(target.sum(), torch.tensor(1.0), atol=1e-4)
    assert target.argmax() == value


def test_a_run_ends_sharp_and_at_rest() -> None:
    assert schedule_blur(0.0, CONFIG) == CONFIG.blur
    assert schedule_blur(0.8, CONFIG) == 0
    assert schedule_rate(1.0, CONFIG) == 0
    assert max(schedule_rate(s, CONFIG) for s in np.linspace(0, 1, 50)) == 1


def test_a_killed_run_goes_on_as_if_it_had_never_stopped(tmp_path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir(), broken.mkdir()
    undisturbed = build_trainer(whole)
    undisturbed.run(SOURCE, SOURCE, seed=0)
    victim = build_trainer(broken)
    with pytest.raises(KeyboardInterrupt):
        victim.run(_Killer(after=2 + 256 + 4), _Killer(after=99), seed=0)
    resumed = build_trainer(broken)
    assert 0 < resumed.progress.step < CONFIG.steps
    resumed.run(SOURCE, SOURCE, seed=0)
    pairs = zip(undisturbed.student.parameters(), resumed.student.parameters())
    assert all(torch.equal(a, b) for a, b in pairs)
    assert _read_log(whole) == _read_log(broken)
    assert (whole / "curve.png").is_file()


def _take_steps(
    run_dir: Path, steps: int
) -> tuple[nn.Linear, list[torch.optim.Optimizer]]:
    """Trains one layer, with a state after every step."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(layer.parameters())]
    for step in range(1, steps + 1):
        layer(torch.ones(3)).sum().backward()
        optimizers[0].step()
        save_state(run_dir, layer, optimizers, Progress(step=step, seconds=step / 2))
    return layer, optimizers


def _read_moments(optimizer: torch.optim.Optimizer) -> list[list[float]]:
    return [
        value.flatten().tolist()
        for moments in optimizer.state.values()
        for _, value in sorted(moments.items())
    ]


@pytest.mark.parametrize("name", ["progress.json", "step_4.safetensors", "seal.json"])
def test_a_damaged_state_is_named_and_the_one_before_gone_on_from(
    name: str, tmp_path
) -> None:
    _take_steps(tmp_path, 4)
    states, said = tmp_path / "state", []
    assert {path.name for path in states.iterdir()} == {"step_3", "step_4"}
    _cut(states / "step_4" / name)
    found = find_state(tmp_path, said.append)
    assert found == states / "step_3"
    assert len(said) == 1 and str(states / "step_4" / name) in said[0]
    layer, [optimizer] = _take_steps(tmp_path / "other", 1)
    assert load_state(found, layer, [optimizer]) == Progress(step=3, seconds=1.5)
    whole, [undisturbed] = _take_steps(tmp_path / "whole", 3)
    assert torch.equal(layer.weight, whole.weight)
    assert _read_moments(optimizer) == _read_moments(undisturbed)
    _cut(states / "step_3" / "progress.json")
    with pytest.raises(ValueError, match=rf"all steps in {states} are damaged"):
        find_state(tmp_path, said.append)


def test_a_disk_that_fills_up_takes_neither_log_nor_state(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, optimizers = _take_steps(tmp_path, 2)
    log, states = tmp_path / "metrics.jsonl", tmp_path / "state"
    log.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    whole = log.read_bytes()

    def fill(self: Path, content: str | bytes) -> None:
        with self.open("wb") as file:
            file.write(content[:5].encode() if isinstance(content, str) else content)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill)
    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match="No space left"):
        trim_log(log, 2)
    with pytest.raises(OSError, match="No space left"):
        save_state(tmp_path, layer, optimizers, Progress(step=3))
    monkeypatch.undo()
    assert log.read_bytes() == whole
    assert {path.name for path in states.iterdir()} == {"step_1", "step_2"}
    assert find_state(tmp_path) == states / "step_2"
    trim_log(log, 2)
    assert log.read_text() == '{"step": 1}\n{"step": 2}\n'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("hold", 1.0), ("warmup", 0.0), ("batch", 0), ("rate", -1.0)],
        *[("blur", np.inf), ("decay", np.inf)],
    ],
)
def test_settings_that_mean_nothing_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"sft\.{name} is {value}; "):
        replace(CONFIG, **{name: value})


@pytest.mark.parametrize("varied", [False, True])
def test_examples_are_varied_if_the_run_says_so(varied: bool, tmp_path) -> None:
    example, read = SOURCE(0), []
    trainer = build_trainer(tmp_path, replace(CONFIG, steps=1))

    def collate(examples: list[Example]) -> Batch:
        read.append(examples)
        return COLLATE(examples)

    trainer.collate = collate
    trainer.run(lambda _: example, lambda _: example, seed=0, varied=varied)
    _held_out, first = read
    assert np.array_equal(first[0].image, example.image) != varied


def test_training_lowers_the_loss(tmp_path) -> None:
    config = replace(CONFIG, steps=16, batch=4, every=1, save_s=1e9, warmup=0.1)
    build_trainer(tmp_path, config).run(SOURCE, SOURCE, seed=0)
    rows = _read_log(tmp_path)
    for name in ("loss_coordinate", "loss_words", "loss_part", "loss_cue"):
        assert rows[-1][name] < rows[0][name]


def test_the_card_states_data_seed_time_and_figures(tmp_path) -> None:
    origin = Provenance(
        name="tiny",
        command="python scripts/warmstart.py env=pick_mug seed=7 minutes=55",
        start="random weights",
        seed=7,
        steps=100,
        batch=32,
        minutes=55.1,
        device="2 CPU cores",
        varied=False,
        blind=False,
        parameters=5.4,
        image=224,
    )
    success = estimate_rate([True] * 3 + [False])
    figures = {"success": success, "parse_rate": estimate_rate([True] * 4)}
    for name in ("iou", "average", "endpoint"):
        figures[name] = estimate_mean([70.0] * 4)
    solved = {"pick_mug": (True, True, True, False)}
    measured = Evaluation(n=4, figures=figures, failures={"missed": 1}, solved=solved)
    write_card(tmp_path, origin, {"pick_mug": measured})
    text = (tmp_path / "README.md").read_text()
    facts = (
        "3,200 images",
        "| varied | mirrored |",
        "| seed | 7",
        "55 minutes on 2 CPU cores",
        "1 missed",
    )
    for fact in (*facts, "| `pick_mug` | 0.750 (0.301 to 0.954) |"):
        assert fact in text


class _Killer:
    """The real source, interrupted after some examples."""

    def __init__(self, *, after: int) -> None:
        self.left = after

    def __call__(self, seed: int) -> Example:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return SOURCE(seed)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:20])


def _read_log(run_dir: Path) -> list[dict]:
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [{**json.loads(line), "seconds": 0} for line in lines]
