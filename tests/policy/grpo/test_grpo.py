"""The algorithm on a policy of one categorical choice; on models: test_trl_parity."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from envs.answer import NORMALIZED, format_answer, parse_answer
from envs.records import ParseFailure, Plan, Reference, Reward
from policy.grpo.average import WeightAverage
from policy.grpo.batch import Batch, Sampling
from policy.grpo.config import GRPOConfig
from policy.grpo.credit import build_batch, compute_part_advantages
from policy.grpo.grpo import (
    _passes,
    compute_advantages,
    compute_ratios,
    token_losses,
    update,
)
from policy.records import Completion, Group, Prompt, Rollout

PROMPT = Prompt(image=np.zeros((2, 2, 3), np.uint8), instruction="choose")
SAMPLING = Sampling(temperature=1.0, max_new_tokens=1)
ONCE = GRPOConfig(num_iterations=1)  # one update a step


class Bandit:
    """A policy whose answer is one of a few arms, the same for every prompt."""

    def __init__(self, arms: int = 4) -> None:
        self.model = nn.Module()
        self.model.logits = nn.Parameter(torch.zeros(arms))
        self.passes = []  # prompts of each forward pass

    @property
    def prompts_scored(self):
        return sum(self.passes)

    def sample(self, prompts, n, generator):
        logp = self.model.logits.detach().log_softmax(0)
        arms = torch.multinomial(logp.exp(), prompts * n, True, generator=generator)
        return [[complete(arm, logp) for arm in row] for row in arms.view(prompts, n)]

    def score(self, prompts, completions, *, temperature):
        self.passes.append(len(prompts))
        arms = torch.tensor([[c.token_ids for c in row] for row in completions])
        return (self.model.logits / temperature).log_softmax(0)[arms]

    def count_tokens(self, prompt):
        return 6

    def reference(self):
        return nullcontext()


def complete(arm, logp) -> Completion:
    values = logp[int(arm)].numpy().reshape(1)
    return Completion(text="", token_ids=(int(arm),), logprobs=values.copy())


def compare(completions, rewards, config) -> Batch:
    advantages = compute_advantages(rewards, config.scale_rewards)[..., None]
    return Batch(
        sampling=SAMPLING,
        prompts=[PROMPT] * len(completions),
        completions=completions,
        advantages=advantages,
        mask=torch.ones_like(advantages),
        old_logprobs=torch.tensor(
            np.array([[c.logprobs for c in row] for row in completions])
        ),
    )


def learn(policy, config, *, steps=40, reward=lambda arm: float(arm == 2)) -> None:
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(policy.model.parameters(), lr=0.1)
    for _ in range(steps):
        completions = policy.sample(4, 8, generator)
        rewards = torch.tensor(
            [[reward(c.token_ids[0]) for c in row] for row in completions]
        )
        step(policy, optimizer, compare(completions, rewards, config), config)


def step(policy, optimizer, batch, config):
    generator = torch.Generator().manual_seed(1)
    return update(policy, optimizer, batch, config, generator)


@pytest.mark.parametrize(
    "config",
    [
        GRPOConfig(),
        replace(ONCE, scale_rewards="group"),
        replace(ONCE, loss_type="grpo", beta=0.04),
        replace(ONCE, loss_type="dr_grpo", scale_rewards="none"),
        replace(ONCE, loss_type="bnpo", minibatches=2),
        GRPOConfig(num_iterations=3, minibatches=2),
    ],
    ids=["default", "group", "kl", "dr_grpo", "minibatches", "several_passes"],
)
def test_a_bandit_learns_the_rewarded_arm(config) -> None:
    policy = Bandit()
    learn(policy, config)
    assert policy.model.logits.softmax(0)[2] > 0.9


def test_equal_rewards_leave_the_weights_alone_and_cost_no_forward_pass() -> None:
    policy = Bandit()
    learn(policy, GRPOConfig(), steps=3, reward=lambda arm: 0.7)
    assert torch.equal(policy.model.logits.detach(), torch.zeros(4))
    assert policy.prompts_scored == 0


def test_dropping_groups_without_signal_does_not_change_the_update() -> None:
    gradients = []
    for beta in (0.0, 1e-12):  # a KL weight, however small, keeps every group
        policy, config = Bandit(), replace(ONCE, beta=beta, loss_type="grpo")
        completions = policy.sample(3, 4, torch.Generator().manual_seed(3))
        rewards = torch.tensor([[0.0, 0, 1, 0], [1, 1, 1, 1], [0, 1, 1, 0]])
        optimizer = torch.optim.SGD(policy.model.parameters(), lr=1.0)
        step(policy, optimizer, compare(completions, rewards, config), config)
        gradients.append(policy.model.logits.detach().clone())
        assert policy.prompts_scored == (2 if beta == 0 else 6)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ("tokens", "passes"), [(0, [4]), (1, [1, 1, 1, 1]), (24, [2, 2]), (30, [3, 1])]
)
def test_splitting_the_forward_pass_does_not_change_the_update(tokens, passes) -> None:
    results = []
    for budget in (0, tokens):  # a prompt has 6 tokens, its answers 4
        config, policy = replace(ONCE, tokens_per_forward=budget), Bandit()
        rewards = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
        completions = policy.sample(4, 4, torch.Generator().manual_seed(3))
        optimizer = torch.optim.SGD(policy.model.parameters(), lr=1.0)
        step(policy, optimizer, compare(completions, rewards, config), config)
        results.append(policy.model.logits.detach())
    torch.testing.assert_close(*results)
    assert policy.passes == passes


def test_groups_of_a_size_share_a_pass() -> None:
    mask = torch.zeros(4, 2, 9)
    for row, longest in enumerate((9, 1, 8, 2)):
        mask[row, 0, :longest] = 1
    batch = Batch(
        sampling=SAMPLING,
        prompts=[PROMPT] * 4,
        completions=[],
        advantages=mask,
        mask=mask,
        old_logprobs=mask,
    )
    budget = GRPOConfig(tokens_per_forward=50)  # two of the long, or four of the short
    found = _passes(Bandit(), batch, torch.arange(4), budget)
    assert [rows.tolist() for rows in found] == [[1, 3], [2, 0]]


def test_a_pass_is_bounded_with_its_padding() -> None:
    """A long prompt with short answers beside a short one with long ones."""
    mask = torch.zeros(2, 8, 100)
    mask[0, :, :10] = mask[1] = 1
    batch = Batch(
        sampling=SAMPLING,
        prompts=[1000, 300],
        completions=[],
        advantages=mask,
        mask=mask,
        old_logprobs=mask,
    )
    policy = Bandit()
    policy.count_tokens = lambda prompt: prompt
    for budget, passes in ((3599, [[0], [1]]), (3600, [[0, 1]])):
        config = GRPOConfig(tokens_per_forward=budget)
        found = _passes(policy, batch, torch.arange(2), config)
        assert [rows.sort()[0].tolist() for rows in found] == passes


POISONS = {
    "an infinite advantage": {"advantages": torch.inf},
    "a reward that is no number": {"advantages": torch.nan},
    "a ratio beyond float32": {"advantages": -1.0, "old_logprobs": -200.0},
}


def poison(batch: Batch, kind: str) -> Batch:
    """Spoils the first answer of a batch."""
    for name, value in POISONS[kind].items():
        getattr(batch, name)[0, 0] = value
    return batch


@pytest.mark.parametrize("kind", POISONS)
def test_a_step_that_is_not_finite_is_skipped_and_counted(kind: str) -> None:
    policy, config = Bandit(), GRPOConfig(num_iterations=2)
    batch = compare(draw(policy), torch.rand(2, 4), config)
    optimizer = torch.optim.Adam(policy.model.parameters())
    assert step(policy, optimizer, poison(batch, kind), config).skipped == 2
    assert torch.equal(policy.model.logits.detach(), torch.zeros(4))
    assert not optimizer.state
    assert policy.model.logits.grad is None


def test_a_loss_beyond_float32_is_skipped_though_its_gradient_is_finite() -> None:
    policy, config = Bandit(), ONCE
    batch = compare(draw(policy), torch.rand(2, 4), config)
    policy.model.logits.register_hook(torch.zeros_like)
    optimizer = torch.optim.Adam(policy.model.parameters())
    poisoned = poison(batch, "an infinite advantage")
    assert step(policy, optimizer, poisoned, config).skipped == 1


def test_a_step_that_is_not_finite_does_not_hold_up_the_others() -> None:
    policy, config = Bandit(), replace(ONCE, minibatches=2)
    batch = compare(draw(policy), torch.rand(2, 4), config)
    optimizer = torch.optim.Adam(policy.model.parameters())
    poisoned = poison(batch, "a reward that is no number")
    metrics = step(policy, optimizer, poisoned, config)
    assert (metrics.skipped, metrics.taken) == (1, 1)
    assert policy.model.logits.isfinite().all()
    assert policy.model.logits.any()


def test_fewer_prompts_than_minibatches_are_a_minibatch_each() -> None:
    policy, config = Bandit(), GRPOConfig(minibatches=8)
    batch = compare(draw(policy), torch.rand(2, 4), config)
    optimizer = torch.optim.Adam(policy.model.parameters())
    assert step(policy, optimizer, batch, config).taken == 2 * config.num_iterations


def test_fewer_prompts_than_minibatches_are_not_weighed_more() -> None:
    """Scenes that were put aside change nothing of how far those left move a policy."""
    moved = []
    for minibatches in (2, 8):
        policy, config = Bandit(), replace(ONCE, minibatches=minibatches)
        rewards = torch.rand(2, 4, generator=torch.Generator().manual_seed(0))
        batch = compare(draw(policy), rewards, config)
        step(policy, torch.optim.SGD(policy.model.parameters(), 0.1), batch, config)
        moved.append(policy.model.logits.detach())
    torch.testing.assert_close(*moved)


def draw(policy: Bandit) -> list[list[Completion]]:
    return policy.sample(2, 4, torch.Generator().manual_seed(0))


def test_advantages_are_those_computed_by_hand() -> None:
    rewards = torch.tensor([[0.0, 1.0, 1.0, 0.0], [2.0, 2.0, 2.0, 2.0]])
    std = (4 * 0.25 / 3) ** 0.5  # Bessel: three degrees of freedom
    expected = torch.tensor([[-0.5, 0.5, 0.5, -0.5], [0.0] * 4])
    torch.testing.assert_close(compute_advantages(rewards, "none"), expected)
    torch.testing.assert_close(
        compute_advantages(rewards, "group"), expected / (std + 1e-4)
    )
    whole = rewards.std() + 1e-4
    torch.testing.assert_close(compute_advantages(rewards, "batch"), expected / whole)


def test_rewards_that_differ_by_rounding_are_no_signal() -> None:
    rewards = torch.tensor([[0.3, 0.3 + 1e-7, 0.3 - 1e-7], [0.0, 0.0, 1e-3]])
    equal, different = compute_advantages(rewards)
    assert not equal.any()
    assert different.abs().max() > 0.5


def test_the_ratio_of_a_sequence_is_the_geometric_mean_of_its_tokens() -> None:
    ratios = torch.tensor([[1.0, 4.0, 7.0], [8.0, 9.0, 9.0]])
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    old = torch.full((2, 3), -1.0)
    found = compute_ratios(old + ratios.log(), old, mask, "sequence")
    torch.testing.assert_close(found, torch.tensor([[2.0] * 3, [8.0] * 3]))
    found = compute_ratios(old + ratios.log(), old, mask, "token")
    torch.testing.assert_close(found, ratios)


def test_the_clip_holds_only_what_would_go_further() -> None:
    ratios = torch.tensor([0.5, 0.5, 2.0, 2.0, 1.1])
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])
    config = GRPOConfig(epsilon_low=0.2, epsilon_high=0.3)
    loss, _, held = token_losses(ratios.log(), ratios, advantages, None, config)
    torch.testing.assert_close(-loss, torch.tensor([0.5, -0.8, 1.3, -2.0, 1.1]))
    assert held.tolist() == [0, 1, 1, 0, 0]


@pytest.mark.parametrize("corrected", [True, False])
def test_the_mean_gradient_of_kl_is_that_of_the_divergence(corrected: bool) -> None:
    logits = torch.tensor([0.3, -1.0, 0.5], requires_grad=True)
    reference = torch.tensor([1.0, 0.2, -0.4]).log_softmax(0)
    logprobs = logits.log_softmax(0)
    config = GRPOConfig(beta=1.0, use_bias_correction_kl=corrected)
    ratios = compute_ratios(logprobs, logprobs.detach(), torch.ones(3))
    zeros = torch.zeros(3)
    losses, _, _ = token_losses(logprobs, ratios, zeros, reference, config)
    # The mean over the tokens the policy says, each as often as it says it.
    mean = (losses * logprobs.detach().exp()).sum()
    forward = (logprobs.exp() * (logprobs - reference)).sum()
    backward = (reference.exp() * (reference - logprobs)).sum()
    divergence = forward if corrected else backward
    (found,) = torch.autograd.grad(mean, logits, retain_graph=True)
    (expected,) = torch.autograd.grad(divergence, logits)
    torch.testing.assert_close(found, expected)


def test_an_answer_is_credited_for_its_whole_and_each_part_for_itself() -> None:
    box, path = (0.2, 0.2, 0.4, 0.4), ((0.3, 0.3), (0.3, 0.2), (0.3, 0.1))
    reference = Reference(box=box, waypoints=path)
    good_box = Plan(box=box, waypoints=((0.9, 0.9), (0.9, 0.8), (0.9, 0.7)))
    good_path = Plan(box=(0.7, 0.7, 0.9, 0.9), waypoints=path)
    scene = SimpleNamespace(reference=reference)
    rollouts = (write(scene, good_box, 1.0), write(scene, good_path, 0.0))
    speller = SimpleNamespace(token_spans=lambda ids: [(i, i + 1) for i in ids])
    first, second = compute_part_advantages(rollouts, reference, speller)
    text = rollouts[0].completion.text
    in_box, in_path = text.index("200"), text.index("900, 900")
    assert first[in_box] > 0 > first[in_path]
    assert second[in_box] < 0 < second[rollouts[1].completion.text.index("300, 300")]
    assert first[text.index("affordance")] == 0

    group = Group(prompt=PROMPT, rollouts=rollouts)
    config = GRPOConfig(part_weight=0.5)
    batch, answers = build_batch(speller, [group], config, SAMPLING)
    whole = answers[0, 0].item()
    assert batch.advantages[0, 0, in_box].item() == pytest.approx(
        whole + 0.5 * first[in_box]
    )
    plain, _ = build_batch(speller, [group], GRPOConfig(part_weight=0.0), SAMPLING)
    assert plain.advantages[0, 0].eq(whole).all()


def read_expert(reference: Reference, *rollouts: Rollout) -> Plan:
    """What `add_experts` lets a group with these rollouts learn."""
    speller = SimpleNamespace(
        spell=lambda text: Completion(text=text, token_ids=(0,)),
        codec=lambda prompt: NORMALIZED,
        token_spans=lambda ids: [(i, i + 1) for i in ids],
    )
    scene = SimpleNamespace(reference=reference)
    group = Group(
        prompt=PROMPT, rollouts=tuple(replace(r, scene=scene) for r in rollouts)
    )
    config = GRPOConfig(expert_advantage=1.0, part_weight=0.0)
    batch, _ = build_batch(speller, [group], config, SAMPLING)
    expert = parse_answer(batch.completions[0][-1].text)
    assert isinstance(expert, Plan)
    return expert


def test_an_annotation_without_a_thought_takes_that_of_the_best_answer() -> None:
    box, path = (0.2, 0.2, 0.4, 0.4), ((0.3, 0.3), (0.3, 0.2), (0.3, 0.1))
    plan = Plan(box=box, waypoints=path)
    worse = write(None, replace(plan, thought="left mug"), 0.2)
    better = write(None, replace(plan, thought="right mug"), 0.7)
    unread = replace(
        better,
        answer=parse_answer("<think>no mug</think>"),
        reward=Reward(terms={}, total=1.0),
    )
    assert isinstance(unread.answer, ParseFailure)
    silent = Reference(box=box, waypoints=path)
    assert read_expert(silent, worse, better, unread).thought == "right mug"
    assert read_expert(silent, unread, unread).thought == ""
    spoken = replace(silent, thought="cyan mug")
    assert read_expert(spoken, worse, better).thought == "cyan mug"


def test_an_annotation_of_any_length_teaches_an_answer_that_can_be_read() -> None:
    box, path = (0.2, 0.2, 0.4, 0.4), tuple((0.3, 0.02 * i) for i in range(12))
    plan = write(None, Plan(box=box, waypoints=path[:3]), 1.0)
    for count, said in ((2, 3), (5, 5), (12, 10)):
        reference = Reference(box=box, waypoints=path[:count])
        taught = read_expert(reference, plan, plan).waypoints
        assert len(taught) == said and taught[-1] == path[count - 1]


def write(scene, plan: Plan, total: float) -> Rollout:
    text = format_answer(plan)
    completion = Completion(
        text=text,
        token_ids=tuple(range(len(text))),  # one token a character
        logprobs=np.zeros(len(text), np.float32),
    )
    return Rollout(
        scene=scene,
        completion=completion,
        answer=parse_answer(text),
        reward=Reward(terms={}, total=total),
    )


def test_the_average_follows_the_weights_and_gives_them_back() -> None:
    policy = Bandit(2)
    average = WeightAverage(policy, 0.75)
    present = torch.tensor([4.0, 8.0])
    with torch.no_grad():
        policy.model.logits.copy_(present)
    average.update(policy)
    with average.applied(policy):
        assert policy.model.logits.tolist() == [1.0, 2.0]
    assert torch.equal(policy.model.logits.detach(), present)


def test_a_decay_of_zero_averages_nothing() -> None:
    policy = Bandit(2)
    average = WeightAverage(policy, 0.0)
    with torch.no_grad():
        policy.model.logits.copy_(torch.tensor([4.0, 8.0]))
    average.update(policy)
    assert average.weights["logits"].tolist() == [4.0, 8.0]


def test_unknown_names_list_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="'sum'.*grpo, bnpo, dr_grpo, dapo"):
        GRPOConfig(loss_type="sum")
    with pytest.raises(ValueError, match="'prompt'.*group, batch, none"):
        GRPOConfig(scale_rewards="prompt")
    with pytest.raises(ValueError, match="'answer'.*token, sequence"):
        GRPOConfig(importance_sampling_level="answer")


def test_numbers_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="beta is -0.1"):
        GRPOConfig(beta=-0.1)
    with pytest.raises(ValueError, match="beta is inf; must be finite"):
        GRPOConfig(beta=float("inf"))
    with pytest.raises(ValueError, match="epsilon_low is 1.5"):
        GRPOConfig(epsilon_low=1.5)
    with pytest.raises(ValueError, match="max_grad_norm is 0"):
        GRPOConfig(max_grad_norm=0.0)


def test_a_given_answer_is_learned_though_it_was_never_sampled():
    policy = Bandit()
    config = GRPOConfig(expert_advantage=1.0)
    before = policy.model.logits.detach().log_softmax(0)[1]
    optimizer = torch.optim.Adam(policy.model.parameters(), lr=0.1)
    given = Completion(text="", token_ids=(1,))
    ones = torch.ones(1, 2, 1)
    batch = Batch(
        sampling=SAMPLING,
        prompts=[PROMPT],
        completions=[[given, given]],
        advantages=ones,
        mask=ones,
        old_logprobs=torch.full_like(ones, torch.nan),
    )
    metrics = step(policy, optimizer, batch, config)
    assert policy.model.logits.detach().log_softmax(0)[1] > before
    assert metrics.clip_fraction == 0 and metrics.skipped == 0
