"""The dry step: it finds out what does not fit, and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import runs
import torch

import policy
from policy.grpo.average import list_trainable
from policy.model.vlm import VLM
from policy.records import Prompt
from policy.runtime.memory import measure_free_bytes
from policy.training import rehearsal, trainer
from policy.training.job import Job
from policy.training.rehearsal import rehearse

JOB = replace(
    runs.JOB,
    algo=replace(runs.JOB.algo, expert_advantage=1.0, tokens_per_forward=400),
    rollout=replace(runs.JOB.rollout, prompts=3, num_generations=2, max_new_tokens=32),
    steps=1,
    n=0,
)
IMAGE = np.zeros((224, 224, 3), np.uint8)
PROMPTS = [Prompt(image=IMAGE, instruction=words) for words in ("Lift", "Lift the mug")]


@pytest.fixture(scope="module")
def vlm() -> VLM:
    return policy.load("tiny", device="cpu")


def test_a_run_is_the_same_with_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.execute(tmp_path / "with", JOB)
    monkeypatch.setattr(trainer, "rehearse", lambda *_: None)
    runs.execute(tmp_path / "without", JOB)
    assert runs.read_log(tmp_path / "without") == runs.read_log(tmp_path / "with")
    final = "final/model.safetensors"
    assert (tmp_path / "with" / final).read_bytes() == (
        tmp_path / "without" / final
    ).read_bytes()


def test_weights_gradients_and_random_state_stay(vlm: VLM) -> None:
    weights = {name: p.detach().clone() for name, p in list_trainable(vlm)}
    state = torch.get_rng_state()
    rehearse(vlm, PROMPTS, JOB)
    assert torch.equal(torch.get_rng_state(), state)
    for name, parameter in list_trainable(vlm):
        assert parameter.grad is None
        assert torch.equal(parameter, weights[name])


def test_the_longest_prompt_is_tried_with_all_answers_at_full_length(
    vlm: VLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    score = VLM.score

    def note(self: VLM, prompts, completions, **options: float) -> torch.Tensor:
        lengths = {len(c.token_ids) for row in completions for c in row}
        tried.append(([p.instruction for p in prompts], len(completions[0]), lengths))
        return score(self, prompts, completions, **options)

    monkeypatch.setattr(VLM, "score", note)
    rehearse(vlm, PROMPTS, JOB)  # two sampled answers and the expert's
    assert tried == [(["Lift the mug"] * count, 3, {32}) for count in (1, 2)]


def test_too_little_memory_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "measure_free_bytes", lambda: 2.0**24)
    message = (
        r"update of 2 prompts with 3 answers of 32 tokens needs about 0\.\d\d GiB, and "
        r"0\.02 GiB are free: lower algo\.tokens_per_forward \(400\), .*num_gener"
    )
    with pytest.raises(MemoryError, match=message):
        runs.execute(tmp_path / "run", replace(JOB, n=4))
    left = {p.name.split(".tfevents")[0] for p in (tmp_path / "run").iterdir()}
    assert left == {".lock", "config.yaml", "events.out"}


def test_a_gpu_that_is_too_small_is_said_in_the_same_words(
    vlm: VLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(rehearsal, "_run", fail)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (0, 8 * 2**30))
    with pytest.raises(MemoryError, match=r"does not fit the GPU's 8\.0 GiB: lower"):
        rehearsal._try(vlm, PROMPTS[0], 2, JOB)


def test_a_context_that_is_too_short_is_said_before_any_work(vlm: VLM) -> None:
    job = replace(JOB, rollout=replace(JOB.rollout, max_new_tokens=2048))
    with pytest.raises(ValueError, match="lower rollout.max_new_tokens"):
        rehearse(vlm, PROMPTS, job)


def test_the_prediction_grows_with_prompts_answers_and_length(vlm: VLM) -> None:
    def predict(
        change: Callable[[Job], Job] = lambda job: job, count: int = 2
    ) -> float:
        return rehearsal._predict(vlm, PROMPTS[0], count, change(JOB))

    once = predict()
    assert predict(count=4) > 1.8 * once
    for name, value in (("num_generations", 8), ("max_new_tokens", 96)):
        rollout = replace(JOB.rollout, **{name: value})
        assert predict(lambda job: replace(job, rollout=rollout)) > 1.2 * once  # noqa: B023


def test_free_memory_is_between_nothing_and_a_petabyte() -> None:
    assert 0 < measure_free_bytes() < 2**50


def test_it_costs_little_for_the_default_policy(vlm: VLM) -> None:
    times = []
    for _ in range(3):
        start = time.process_time()
        rehearse(vlm, PROMPTS, JOB)
        times.append(time.process_time() - start)
    assert min(times) < 2
