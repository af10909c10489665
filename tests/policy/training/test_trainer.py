"""The loop on the default policy: it learns, repeats exactly and resumes exactly."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import JOB, execute, read_log

import policy
from envs import parse_answer, simulate
from policy.export.takes import read_takes
from policy.grpo.average import list_trainable
from policy.grpo.config import OPTIMIZERS, GRPOConfig, LearningRates
from policy.grpo.credit import build_batch
from policy.grpo.grpo import update
from policy.grpo.optimizer import build_optimizer, set_rates
from policy.model.vlm import VLM
from policy.records import Group
from policy.rollout.collect import collect
from policy.rollout.config import RolloutConfig
from policy.rollout.crew import LostWork
from policy.rollout.figures import describe
from policy.rollout.play import Referee
from policy.rollout.scene_source import choose_seeds
from policy.rollout.workers import Aside, Workers
from policy.training import trainer
from policy.training.checkpoint import (
    build_learner,
    find_sound,
    load_checkpoint,
    save_checkpoint,
)
from policy.training.history import History
from policy.training.run_dir import RunDir
from policy.training.site import Site
from rewards import TERMS, RewardMix

FORMAT = RewardMix(weights={"format": 1.0})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return execute(tmp_path_factory.mktemp("runs") / "undisturbed")


def test_a_run_leaves_everything_behind(undisturbed: RunDir) -> None:
    names = {p.name for p in undisturbed.path.iterdir()}
    assert {"config.yaml", "metrics.jsonl", "rollouts.jsonl", "final"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    steps = {p.name for p in undisturbed.checkpoints.iterdir()}
    assert steps == {"step_1", "step_2", "step_3"}
    summary = undisturbed.read_json("summary.json")
    assert summary is not None and summary["steps"] == 3 and summary["seconds"] > 0
    for when in ("before", "after"):
        figures = {"success", "parse_rate", "iou", "dfd", "hd", "rmse", "endpoint", "n"}
        assert figures <= summary[when].keys()
        assert summary[when]["intervals"].keys() >= figures - {"n"}


def test_every_answer_of_the_evaluations_is_on_record(undisturbed: RunDir) -> None:
    for name in ("before", "after"):
        rows = read_log(undisturbed.path, f"evaluations/{name}.jsonl")
        assert [row["seed"] for row in rows] == choose_seeds(JOB.n, 0)
        summary = undisturbed.read_json("summary.json")
        assert summary is not None
        hits = sum(row["success"] for row in rows)
        assert hits == pytest.approx(JOB.n * summary[name]["success"])


def test_every_rollout_is_on_record(undisturbed: RunDir) -> None:
    rows = read_log(undisturbed.path, "rollouts.jsonl")
    assert len(rows) == 3 * 2 * 3
    assert {row["seed"] for row in rows if row["step"] == 2} == set(
        choose_seeds(2, JOB.seed, 2)
    )
    for row in rows:
        assert (row["box"] is None) == (row["parse_failure"] is not None)
        assert row["terms"].keys() == set(TERMS)


def test_training_changes_the_weights_and_the_final_policy_loads(
    undisturbed: RunDir,
) -> None:
    start = dict(list_trainable(policy.load("tiny", device="cpu")))
    final, kept = (
        dict(list_trainable(policy.load(home, device="cpu")))
        for home in (undisturbed.path / "final", undisturbed.checkpoints / "step_3")
    )
    assert start.keys() == final.keys() == kept.keys()
    assert any(not torch.equal(start[name], final[name]) for name in start)
    assert all(torch.equal(kept[name], final[name]) for name in final)


def test_the_same_seed_writes_the_same_figures(undisturbed, tmp_path: Path) -> None:
    job = replace(JOB, steps=1, n=0)
    again = execute(tmp_path / "again", job)
    assert read_log(again.path) == read_log(undisturbed.path)[:1]
    other = execute(tmp_path / "other", replace(job, seed=1))
    assert read_log(other.path) != read_log(undisturbed.path)[:1]


def test_a_killed_run_resumes_as_if_undisturbed(undisturbed, tmp_path: Path) -> None:
    path = tmp_path / "killed"
    run = execute(path, replace(JOB, steps=2, n=0))
    (path / "summary.json").unlink()
    (run.checkpoints / ".step_3.partial").mkdir()  # killed while it was written
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "timing": {"elapsed_s": 9}}\n{"step": 4, "rew')
    execute(path, replace(JOB, n=0), resume=True)
    assert read_log(path) == read_log(undisturbed.path)
    name = "final/model.safetensors"
    assert (path / name).read_bytes() == (undisturbed.path / name).read_bytes()


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_checkpoint_restores_weights_average_and_optimizer(
    tmp_path: Path, kind: str
) -> None:
    config = GRPOConfig(optimizer=kind)
    learner = build_learner(policy.load("tiny", device="cpu"), config)
    torch.manual_seed(0)
    for _, parameter in list_trainable(learner.vlm):
        parameter.grad = torch.randn_like(parameter)
    learner.optimizer.step()
    learner.average.update(learner.vlm)
    save_checkpoint(learner, tmp_path, 7)
    other = build_learner(policy.load("tiny", device="cpu"), config)
    assert find_sound(tmp_path, "") == 7
    load_checkpoint(other, tmp_path, 7)
    for (name, a), (_, b) in zip(
        list_trainable(learner.vlm), list_trainable(other.vlm), strict=True
    ):
        assert torch.equal(a, b), name
        assert torch.equal(learner.average.weights[name], other.average.weights[name])
        assert learner.optimizer.state[a].keys() == other.optimizer.state[b].keys()
        for key, value in learner.optimizer.state[a].items():
            assert torch.equal(value, other.optimizer.state[b][key]), (name, key)


def collect_two_groups(mix: RewardMix = FORMAT) -> tuple[VLM, list[Group]]:
    """Two scenes, answered; usually equal rewards, so that only parts differ."""
    vlm = policy.load("tiny", device="cpu")
    with Workers(0) as workers:
        scenes = next(workers.make_scenes(JOB.source, [[0, 1]]))
        referee = Referee(workers=workers, mix=mix)
        groups = collect(vlm, scenes, JOB.rollout, referee, (0,))
    return vlm, groups


def test_the_experts_answer_joins_the_group_as_text_that_succeeds() -> None:
    vlm, groups = collect_two_groups()
    config = GRPOConfig(part_weight=0.0, expert_advantage=2.0)
    batch, _ = build_batch(vlm, groups, config, JOB.sampling)
    size = JOB.rollout.num_generations
    for i, group in enumerate(groups):
        assert len(batch.completions[i]) == size + 1
        expert = batch.completions[i][-1]
        assert vlm.tokenizer.decode(expert.token_ids) == expert.text
        assert simulate(group.scene, [parse_answer(expert.text)])[0].success
        inside = batch.mask[i, -1].bool()
        assert int(inside.sum()) == len(expert.token_ids)
        assert (batch.advantages[i, -1][inside] == 2).all()
        assert batch.old_logprobs[i, -1][inside].isnan().all()
        assert not batch.old_logprobs[i, :-1].isnan().any()


def test_a_scene_without_an_expert_takes_no_other_scenes_away() -> None:
    vlm, groups = collect_two_groups()
    alone = replace(groups[0].rollouts[0].scene, reference=None)
    rollouts = tuple(replace(r, scene=alone) for r in groups[0].rollouts)
    mixed = [replace(groups[0], rollouts=rollouts), groups[1]]
    config = GRPOConfig(part_weight=0.0, answer_weight=0.0, expert_advantage=1.0)
    batch, _ = build_batch(vlm, mixed, config, JOB.sampling)
    assert batch.signal.tolist() == [False, True]
    assert not batch.mask[0, -1].any() and batch.mask[1, -1].any()
    own = build_learner(vlm, JOB.algo)
    metrics = update(vlm, own.optimizer, batch, config, torch.Generator())
    assert math.isfinite(metrics.loss) and metrics.taken and not metrics.skipped


def test_the_expert_teaches_first_turns_alone() -> None:
    vlm, (first, other) = collect_two_groups()
    config = GRPOConfig(part_weight=0.0, answer_weight=0.0, expert_advantage=1.0)
    groups = [replace(first, turn=2), other]
    batch, _ = build_batch(vlm, groups, config, JOB.sampling)
    assert batch.signal.tolist() == [False, True]
    assert not batch.mask[0, -1].any() and batch.mask[1, -1].any()


def test_answers_of_later_turns_are_on_record_as_such(tmp_path: Path) -> None:
    # So warm that nothing succeeds.
    rollout = replace(JOB.rollout, max_turns=2, temperature=9.0)
    with Workers(0) as workers:
        scenes = next(workers.make_scenes(JOB.source, [[0, 1]]))
        referee = Referee(workers=workers, mix=FORMAT)
        vlm = policy.load("tiny", device="cpu")
        groups = collect(vlm, scenes, rollout, referee, (0,))
    assert [group.turn for group in groups] == [1, 1, 2, 2]
    History(tmp_path).add_rollouts(1, groups, torch.zeros(4, 3))
    rows = read_log(tmp_path, "rollouts.jsonl")
    assert [row["turn"] for row in rows] == [1] * 6 + [2] * 6
    takes = [*read_takes(tmp_path / "rollouts.jsonl")]
    assert [take.text for take in takes] == [row["text"] for row in rows[:6]]


def test_where_there_is_no_expert_nobody_can_learn_from_one_alone(monkeypatch) -> None:
    algo = replace(JOB.algo, answer_weight=0.0, expert_advantage=1.0)
    replace(JOB, algo=algo)
    monkeypatch.setattr("policy.training.job.has_expert", lambda name: False)
    with pytest.raises(ValueError, match="env=pick_mug has no expert"):
        replace(JOB, algo=algo)
    replace(JOB, algo=replace(algo, answer_weight=1.0))


def test_supervision_learns_of_the_experts_answer_alone() -> None:
    vlm, groups = collect_two_groups(RewardMix(weights={"affordance": 1.0}))
    plain = GRPOConfig(part_weight=0.0, expert_advantage=1.0)
    rewarded, _ = build_batch(vlm, groups, plain, JOB.sampling)
    assert rewarded.advantages[:, :-1].any()
    config = replace(plain, answer_weight=0.0)
    batch, _ = build_batch(vlm, groups, config, JOB.sampling)
    assert not batch.advantages[:, :-1].any()
    assert batch.advantages[:, -1].equal(batch.mask[:, -1])


def test_each_part_of_an_answer_gets_its_own_advantage_on_its_own_tokens() -> None:
    vlm, groups = collect_two_groups()
    assert describe(groups)["parse_rate"] > 0.5
    config = GRPOConfig(part_weight=0.5)
    batch, answers = build_batch(vlm, groups, config, JOB.sampling)
    assert not answers.any()
    for row, completions in zip(batch.advantages, batch.completions, strict=True):
        for advantages, completion in zip(row, completions, strict=True):
            tokens = [
                completion.text[first:last]
                for first, last in vlm.token_spans(completion.token_ids)
            ]
            credited = "".join(t for t, a in zip(tokens, advantages.tolist()) if a)
            assert any(c.isdigit() for c in credited)
            assert not any(c.isalpha() for c in credited)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_rates_grow_stay_and_fall_for_each_group_of_parameters(kind: str) -> None:
    config = GRPOConfig(
        optimizer=kind,
        warmup_steps=2,
        cooldown=0.5,
        learning_rate=LearningRates(tower=0.0, language=1.0, embeddings=0.1),
    )
    vlm = policy.load("tiny", device="cpu")
    optimizer = build_optimizer(vlm, config)
    count = sum(len(group["params"]) for group in optimizer.param_groups)
    assert count == len(list_trainable(vlm))
    rates = {"tower": [], "language": [], "embeddings": []}
    for step in range(1, 9):
        set_rates(optimizer, config, step, 8)
        for name, row in rates.items():
            groups = [g["lr"] for g in optimizer.param_groups if g["name"] == name]
            assert len(set(groups)) == 1
            row.append(groups[0])
    assert rates["language"] == [0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25]
    assert rates["embeddings"] == pytest.approx([r / 10 for r in rates["language"]])
    assert not any(rates["tower"])


def test_what_the_last_evaluation_puts_aside_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Aside(what="build", why="it never ended", scene=JOB.source.choose(7))

    def measure(vlm: VLM, site: Site, name: str) -> dict[str, int]:
        site.workers.aside.append(lost)
        return {"n": 0}

    monkeypatch.setattr(trainer, "measure", measure)
    execute(tmp_path / "run", replace(JOB, steps=1, n=0))
    [row] = read_log(tmp_path / "run", "aside.jsonl")
    assert (row["step"], row["scene"]) == (2, lost.scene.to_dict())
    execute(tmp_path / "run", replace(JOB, steps=2, n=0), resume=True)
    [row] = read_log(tmp_path / "run", "aside.jsonl")  # measured again after step 2
    assert row["step"] == 3


def test_what_the_first_evaluation_puts_aside_is_of_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Aside(what="build", why="it never ended", scene=JOB.source.choose(7))
    usual = Workers._collect

    def lose_one(self: Workers, started: Any) -> list[Any]:
        if not self.aside:
            scene = started[0][0]
            self.aside.append(Aside(what="build", why="it was killed", scene=scene))
        return usual(self, started[-1:])

    def measure(vlm: VLM, site: Site, name: str) -> dict[str, int]:
        site.workers.aside.append(lost)
        return {"n": 0}

    def kill(workers: Workers) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Workers, "_collect", lose_one)
    monkeypatch.setattr("policy.training.measure.measure", measure)
    job, whole, killed = replace(JOB, steps=1, n=0), tmp_path / "a", tmp_path / "b"
    execute(whole, job)
    rows = read_log(whole, "aside.jsonl")
    assert [(row["step"], row["why"]) for row in rows] == [
        (0, "it never ended"),
        (1, "it was killed"),
    ]
    [row] = read_log(whole)
    assert row["put_aside"] == 1
    with pytest.raises(KeyboardInterrupt):
        execute(killed, job, report=kill)  # after before.json
    execute(killed, job, resume=True)
    assert read_log(killed) == read_log(whole)
    assert read_log(killed, "aside.jsonl") == rows


def test_a_step_of_which_nothing_is_left_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(self: Workers, started: Any) -> list[Any]:
        scene = started[0][0]
        self.aside.append(Aside(what="build", why="no node is left", scene=scene))
        return []

    monkeypatch.setattr(Workers, "_collect", lose)
    with pytest.raises(LostWork, match="no scene of step 1 .*'pick_mug'.*no node is"):
        execute(tmp_path / "run", replace(JOB, n=0))
    [row] = read_log(tmp_path / "run", "aside.jsonl")
    seed = choose_seeds(JOB.rollout.prompts, JOB.seed, 1)[0]
    scene = JOB.source.choose(seed).to_dict()
    assert (row["step"], row["scene"]) == (1, scene)


def test_a_run_directory_is_never_overwritten(undisturbed: RunDir) -> None:
    with pytest.raises(FileExistsError, match="resume="):
        RunDir.create(undisturbed.path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RolloutConfig(num_generations=1), "num_generations is 1; at least 2"),
        (lambda: RolloutConfig(temperature=0.0), "temperature is 0.0"),
        (lambda: RolloutConfig(workers=-1), "workers is -1; null or a whole number"),
        (lambda: RolloutConfig(workers=1.5), "workers is 1.5; null or a whole number"),  # type: ignore
        (lambda: replace(JOB, steps=0), "steps is 0; at least 1"),
        (lambda: GRPOConfig(average_decay=1.0), "average_decay is 1.0"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
