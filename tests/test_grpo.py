"""The algorithm on a policy of one categorical choice, and against TRL."""

from __future__ import annotations

import itertools
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from envs.answer import format_answer, parse_answer
from envs.records import Plan, Reference, Reward
from policy.average import WeightAverage
from policy.credit import build_batch, compute_part_advantages
from policy.grpo import (
    Batch,
    compute_advantages,
    token_losses,
    token_weights,
    update,
)
from policy.grpo_config import LOSS_TYPES, GRPOConfig
from policy.records import Completion, Prompt, Rollout

PROMPT = Prompt(image=np.zeros((2, 2, 3), np.uint8), instruction="choose")


class Bandit:
    """A policy whose answer is one of a few arms, the same for every prompt."""

    def __init__(self, arms: int = 4) -> None:
        self.model = nn.Module()
        self.model.logits = nn.Parameter(torch.zeros(arms))
        self.prompts_scored = 0

    def sample(self, prompts, n, generator):
        logp = self.model.logits.detach().log_softmax(0)
        arms = torch.multinomial(logp.exp(), prompts * n, True, generator=generator)
        return [[complete(arm, logp) for arm in row] for row in arms.view(prompts, n)]

    def score(self, prompts, completions, *, temperature):
        self.prompts_scored += len(prompts)
        arms = torch.tensor([[c.token_ids for c in row] for row in completions])
        return (self.model.logits / temperature).log_softmax(0)[arms]

    def reference(self):
        return nullcontext()


def complete(arm, logp) -> Completion:
    values = logp[int(arm)].numpy().reshape(1)
    return Completion(
        text="", token_ids=(int(arm),), logprobs=values.copy(), finished=True
    )


def compare(completions, rewards, config) -> Batch:
    advantages = compute_advantages(rewards, config.scale_rewards)[..., None]
    return Batch(
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
    return update(
        policy,
        optimizer,
        batch,
        config,
        temperature=1.0,
        max_new_tokens=1,
        generator=torch.Generator().manual_seed(1),
    )


@pytest.mark.parametrize(
    "config",
    [
        GRPOConfig(),
        GRPOConfig(loss_type="grpo", beta=0.04),
        GRPOConfig(loss_type="dr_grpo", scale_rewards="none"),
        GRPOConfig(loss_type="bnpo", scale_rewards="batch", minibatches=2),
        GRPOConfig(num_iterations=3, minibatches=2),
    ],
    ids=["default", "kl", "dr_grpo", "minibatches", "several_passes"],
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
        policy, config = Bandit(), GRPOConfig(beta=beta, loss_type="grpo")
        completions = policy.sample(3, 4, torch.Generator().manual_seed(3))
        rewards = torch.tensor([[0.0, 0, 1, 0], [1, 1, 1, 1], [0, 1, 1, 0]])
        optimizer = torch.optim.SGD(policy.model.parameters(), lr=1.0)
        step(policy, optimizer, compare(completions, rewards, config), config)
        gradients.append(policy.model.logits.detach().clone())
        assert policy.prompts_scored == (2 if beta == 0 else 6)
    torch.testing.assert_close(*gradients)


def test_splitting_the_forward_pass_does_not_change_the_update() -> None:
    results = []
    for size in (0, 1):
        config = GRPOConfig(prompts_per_forward=size)
        policy = Bandit()
        learn(policy, config, steps=3)
        results.append(policy.model.logits.detach())
    torch.testing.assert_close(*results)


def test_a_gradient_that_is_not_finite_is_skipped_and_counted() -> None:
    policy = Bandit()
    completions = policy.sample(2, 4, torch.Generator().manual_seed(0))
    batch = compare(completions, torch.rand(2, 4), GRPOConfig())
    batch.advantages[0, 0] = torch.inf
    optimizer = torch.optim.Adam(policy.model.parameters())
    assert step(policy, optimizer, batch, GRPOConfig()).skipped == 1
    assert torch.equal(policy.model.logits.detach(), torch.zeros(4))


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


def test_an_answer_is_credited_for_its_whole_and_each_part_for_itself() -> None:
    box, path = (0.2, 0.2, 0.4, 0.4), ((0.3, 0.3), (0.3, 0.2), (0.3, 0.1))
    reference = Reference(box=box, waypoints=path)
    good_box = Plan(box=box, waypoints=((0.9, 0.9), (0.9, 0.8), (0.9, 0.7)))
    good_path = Plan(box=(0.7, 0.7, 0.9, 0.9), waypoints=path)
    rollouts = [write(good_box, 1.0), write(good_path, 0.0)]
    speller = SimpleNamespace(token_spans=lambda ids: [(i, i + 1) for i in ids])
    first, second = compute_part_advantages(rollouts, reference, speller)
    text = rollouts[0].completion.text
    in_box, in_path = text.index("200"), text.index("900, 900")
    assert first[in_box] > 0 > first[in_path]
    assert second[in_box] < 0 < second[rollouts[1].completion.text.index("300, 300")]
    assert first[text.index("affordance")] == 0

    group = SimpleNamespace(
        rollouts=rollouts, scene=SimpleNamespace(reference=reference)
    )
    batch, answers = build_batch(speller, [group], GRPOConfig(part_weight=0.5))
    whole = answers[0, 0].item()
    assert batch.advantages[0, 0, in_box].item() == pytest.approx(
        whole + 0.5 * first[in_box]
    )
    plain, _ = build_batch(speller, [group], GRPOConfig(part_weight=0.0))
    assert plain.advantages[0, 0].eq(whole).all()


def write(plan: Plan, total: float) -> Rollout:
    text = format_answer(plan)
    completion = Completion(
        text=text,
        token_ids=tuple(range(len(text))),  # one token a character
        logprobs=np.zeros(len(text), np.float32),
        finished=True,
    )
    return Rollout(
        prompt=PROMPT,
        completion=completion,
        answer=parse_answer(text),
        outcome=None,
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


@pytest.mark.parametrize(
    ("loss_type", "beta", "epsilon_high"),
    list(itertools.product(LOSS_TYPES, (0.0, 0.04), (0.2, 0.28))),
)
def test_loss_and_gradient_equal_those_of_trl(loss_type, beta, epsilon_high) -> None:
    ours = GRPOConfig(loss_type=loss_type, beta=beta, epsilon_high=epsilon_high)
    data = draw_batch()
    loss, _, _ = token_losses(
        data.logprobs, data.old, data.advantages[:, None], data.reference, ours
    )
    weights = token_weights(
        data.mask, loss_type, max_new_tokens=9, mean_tokens=float(data.mask.sum())
    )
    loss = (loss * weights).sum()
    (gradient,) = torch.autograd.grad(loss, data.logprobs)
    expected = run_trl(data, ours)
    (expected_gradient,) = torch.autograd.grad(expected, data.logprobs)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-5, atol=1e-7)


def draw_batch() -> SimpleNamespace:
    """Off-policy by up to a factor of e, ragged, the last answer all padding."""
    torch.manual_seed(0)
    logprobs = -3 * torch.rand(6, 7)
    mask = (torch.arange(7) < torch.tensor([7, 3, 5, 1, 6, 0])[:, None]).float()
    return SimpleNamespace(
        logprobs=logprobs.requires_grad_(),
        old=(logprobs + torch.rand(6, 7) * 2 - 1).detach(),
        reference=(logprobs + 0.3 * torch.randn(6, 7)).detach(),
        advantages=torch.randn(6),
        mask=mask,
    )


def run_trl(data: SimpleNamespace, config: GRPOConfig) -> torch.Tensor:
    """TRL's own loss, on log-probabilities instead of a model."""
    from collections import defaultdict

    from trl import GRPOTrainer

    model = SimpleNamespace(training=True)
    trainer = SimpleNamespace(
        model=model,
        _get_per_token_logps_and_entropies=lambda *a, **k: (
            data.logprobs,
            torch.zeros_like(data.logprobs),
            None,
        ),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level="token",
        beta=config.beta,
        epsilon_low=config.epsilon_low,
        epsilon_high=config.epsilon_high,
        loss_type=config.loss_type,
        use_vllm=False,
        max_completion_length=9,
        current_gradient_accumulation_steps=1,
        accelerator=SimpleNamespace(
            num_processes=1,
            device="cpu",
            gather=lambda x: x,
            reduce=lambda x, reduction: x,
        ),
        args=SimpleNamespace(
            delta=None, use_bias_correction_kl=False, steps_per_generation=1
        ),
        _entropy_bonus_enabled=False,
        _metrics={"train": defaultdict(list)},
    )
    inputs = {
        "prompt_ids": torch.zeros(6, 1, dtype=torch.long),
        "prompt_mask": torch.ones(6, 1),
        "completion_ids": torch.zeros(6, 7, dtype=torch.long),
        "completion_mask": data.mask,
        "advantages": data.advantages,
        "old_per_token_logps": data.old,
        "ref_per_token_logps": data.reference,
        "num_items_in_batch": data.mask.sum(),
    }
    return GRPOTrainer._compute_loss(trainer, model, inputs)


def test_a_given_answer_is_learned_though_it_was_never_sampled():
    policy = Bandit()
    config = GRPOConfig(expert_advantage=1.0)
    before = policy.model.logits.detach().log_softmax(0)[1]
    optimizer = torch.optim.Adam(policy.model.parameters(), lr=0.1)
    given = Completion(
        text="", token_ids=(1,), logprobs=np.zeros(1, np.float32), finished=True
    )
    ones = torch.ones(1, 2, 1)
    batch = Batch(
        prompts=[PROMPT],
        completions=[[given, given]],
        advantages=ones,
        mask=ones,
        old_logprobs=torch.full_like(ones, torch.nan),
    )
    metrics = step(policy, optimizer, batch, config)
    assert policy.model.logits.detach().log_softmax(0)[1] > before
    assert metrics.clip_fraction == 0 and metrics.skipped == 0
