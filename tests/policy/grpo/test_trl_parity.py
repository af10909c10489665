"""GRPO is TRL's: the same advantages, loss, gradient, and weights after three steps.

TRL's own trainer prepares its inputs, runs the stock model and takes its steps; ours
goes the way that shares prompts. Both start from the same weights and compare the same
answers by the same rewards.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from compared import (
    LENGTHS,
    MAX_NEW_TOKENS,
    SAMPLING,
    SHORT,
    TEMPERATURE,
    Recorder,
    answer_randomly,
    build_home,
    find_worst,
    learn,
    load_free,
)
from datasets import Dataset
from PIL import Image
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
from trl import GRPOConfig as TRLConfig
from trl import GRPOTrainer
from trl.trainer.utils import (
    split_pixel_values_by_grid,
    split_tensor_dict,
    unsplit_pixel_values_by_grid,
)

from policy.grpo.batch import Batch, UpdateMetrics
from policy.grpo.config import LEVELS, LOSS_TYPES, SCALES, GRPOConfig
from policy.grpo.credit import build_batch
from policy.model.prompt import build_messages
from policy.model.vlm import VLM
from policy.records import Group

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning"),
    pytest.mark.filterwarnings("ignore:You are using 'rollout_func'"),
]
FAMILIES = ("qwen3_vl", "qwen2_5_vl", "text")
CLOSE = 1e-5  # relative
BETA = 0.04
PLAIN = GRPOConfig(  # as TRL's defaults, with no option of our own
    scale_rewards="group", part_weight=0.0, num_iterations=1, tokens_per_forward=0
)
PAPER = replace(PLAIN, loss_type="grpo", beta=BETA, use_bias_correction_kl=False)
GRID = [
    replace(
        PLAIN,
        loss_type=kind,
        importance_sampling_level=level,
        beta=beta,
        epsilon_high=epsilon_high,
    )
    for kind, level, beta, epsilon_high in itertools.product(
        LOSS_TYPES, LEVELS, (0.0, BETA), (0.2, 0.28)
    )
] + [replace(PAPER, importance_sampling_level=level) for level in LEVELS]
REPLAYS = {
    "paper": PAPER,
    "token": replace(PLAIN, scale_rewards="batch", epsilon_high=0.28, beta=BETA),
    "sequence": replace(
        PLAIN,
        loss_type="bnpo",
        scale_rewards="none",
        importance_sampling_level="sequence",
    ),
}
OPTIMIZERS = {
    "sgd": lambda weights: torch.optim.SGD(weights, lr=0.1),
    # Of key biases the gradient is rounding alone; without the larger epsilon Adam
    # would move them by its full rate.
    "adam": lambda weights: torch.optim.AdamW(weights, lr=1e-3, eps=1e-4),
}


@dataclass
class Pair:
    """A policy and a trainer of TRL that start from the same weights.

    Attributes:
        vlm: The policy.
        trainer: Made to say and reward what `groups` hold.
        groups: Answers to be learned from.
        rows: TRL's rows of data, one an answer.
    """

    vlm: VLM
    trainer: GRPOTrainer
    groups: list[Group]
    rows: list[dict[str, Any]]

    def prepare(self, config: GRPOConfig) -> tuple[Batch, dict[str, Any]]:
        """Our batch, and TRL's inputs."""
        configure(self.trainer, config)
        batch, _ = build_batch(self.vlm, self.groups, config, SAMPLING)
        return batch, self.trainer._generate_and_score_completions(self.rows)

    def run_ours(
        self, batch: Batch, config: GRPOConfig
    ) -> tuple[UpdateMetrics, dict[str, torch.Tensor]]:
        """What an update reports, and the sum of its gradients, unclipped."""
        recorder = Recorder(self.vlm.model)
        config = replace(config, max_grad_norm=torch.inf)
        return learn(self.vlm, recorder, batch, config), recorder.gradients

    def run_trl(
        self, inputs: dict[str, Any], config: GRPOConfig
    ) -> tuple[float, dict[str, torch.Tensor]]:
        """TRL's loss of inputs, and its gradient."""
        configure(self.trainer, config)
        model: Any = self.trainer.model
        model.zero_grad()
        loss = self.trainer._compute_loss(model, inputs)
        loss.backward()
        named = model.named_parameters()
        return float(loss.detach()), {n: p.grad for n, p in named}


@pytest.fixture(scope="module", params=FAMILIES)
def home(request, tmp_path_factory) -> Path:
    return build_home(tmp_path_factory.mktemp("policies"), request.param)


@pytest.fixture(scope="module")
def pair(home, tmp_path_factory) -> Pair:
    pair = build_pair(home, tmp_path_factory.mktemp("trl"), OPTIMIZERS["sgd"])
    pair.trainer.current_gradient_accumulation_steps = 1
    pair.trainer.model.train()
    return pair


@pytest.fixture(scope="module")
def off_policy(pair) -> tuple[Batch, dict[str, Any]]:
    """The same, off-policy by up to a factor of e, and all of one answer masked."""
    batch, inputs = pair.prepare(replace(PLAIN, beta=BETA))
    generator = torch.Generator().manual_seed(1)
    noise = 2 * torch.rand(batch.mask.shape, generator=generator) - 1
    old, mask = batch.old_logprobs + noise * batch.mask, batch.mask.clone()
    mask[0, 1] = 0
    inputs["old_per_token_logps"] = old.flatten(0, 1)
    inputs["completion_mask"] = mask.flatten(0, 1).long()
    inputs["num_items_in_batch"] = mask.sum()
    return replace(batch, old_logprobs=old, mask=mask), inputs


def build_pair(home: Path, scratch: Path, build_optimizer: Any) -> Pair:
    vlm = load_free(home)
    groups = answer_randomly(vlm)
    auto = AutoModelForCausalLM if home.name == "text" else AutoModelForImageTextToText
    model = auto.from_pretrained(home, dtype=torch.float32)
    model.load_state_dict(vlm.model.state_dict())
    trainer = GRPOTrainer(
        model=model,
        args=describe_run(scratch),
        train_dataset=Dataset.from_list([describe(vlm, group) for group in groups]),
        processing_class=vlm.processor.stock,
        optimizers=(build_optimizer(model.parameters()), None),
        **replay(vlm, groups),
    )
    rows = [describe(vlm, group) for group in groups for _ in group.rollouts]
    return Pair(vlm, trainer, groups, rows)


def describe_run(scratch: Path) -> TRLConfig:
    return TRLConfig(
        output_dir=str(scratch),
        per_device_train_batch_size=sum(len(row) for row in LENGTHS),
        num_generations=len(LENGTHS[0]),
        num_iterations=3,
        max_steps=3,
        max_completion_length=MAX_NEW_TOKENS,
        temperature=TEMPERATURE,
        beta=BETA,  # so that it loads the reference
        lr_scheduler_type="constant",
        shuffle_dataset=False,
        gradient_checkpointing=False,
        use_cpu=True,
        bf16=False,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


def describe(vlm: VLM, group: Group) -> dict[str, Any]:
    """A row of TRL's data set."""
    prompt = group.prompt
    if vlm.processor.stock is vlm.tokenizer:
        return {"prompt": prompt.instruction}
    messages = build_messages(prompt, SHORT.prompt_style)
    return {"prompt": messages, "image": Image.fromarray(prompt.image)}


def replay(vlm: VLM, groups: list[Group]) -> dict[str, Any]:
    """What makes TRL say and reward what the groups hold, instead of sampling."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    said = [list(r.completion.token_ids) for r in rollouts]
    asked = [
        vlm.processor.encode([group.prompt])["input_ids"][0].tolist()
        for group in groups
        for _ in group.rollouts
    ]

    def say(prompts, trainer):
        return {"prompt_ids": asked, "completion_ids": said, "logprobs": None}

    def judge(completion_ids, **_):
        assert completion_ids == said
        return [r.reward.total for r in rollouts]

    return {"rollout_func": say, "reward_funcs": judge}


def configure(trainer: GRPOTrainer, config: GRPOConfig) -> None:
    """Sets TRL's options to ours, which have its names."""
    for name in (
        *("scale_rewards", "loss_type", "importance_sampling_level"),
        *("epsilon_low", "epsilon_high", "beta"),
    ):
        assert hasattr(trainer, name)
        setattr(trainer, name, getattr(config, name))
    trainer.args.use_bias_correction_kl = config.use_bias_correction_kl


def name(config: GRPOConfig) -> str:
    kl = f"kl{config.beta}" + ("" if config.use_bias_correction_kl else "k3")
    level = config.importance_sampling_level
    return f"{config.loss_type}-{level}-{kl}-{config.epsilon_high}"


@pytest.mark.parametrize("scale", SCALES)
def test_advantages_are_those_of_trl(pair: Pair, scale: str) -> None:
    batch, inputs = pair.prepare(replace(PLAIN, scale_rewards=scale))
    found = batch.advantages[..., 0].flatten()
    torch.testing.assert_close(found, inputs["advantages"], rtol=CLOSE, atol=1e-6)
    assert found.any()


def test_logprobs_of_policy_and_reference_are_those_of_trl(pair: Pair) -> None:
    batch, inputs = pair.prepare(replace(PLAIN, beta=BETA))
    old, mask = batch.old_logprobs.flatten(0, 1), batch.mask.flatten(0, 1)
    expected = inputs["old_per_token_logps"] * mask
    torch.testing.assert_close(old, expected, rtol=CLOSE, atol=CLOSE)
    asked = batch.prompts, batch.completions
    with torch.no_grad(), pair.vlm.reference():
        found = pair.vlm.score(*asked, temperature=TEMPERATURE).flatten(0, 1)
    expected = inputs["ref_per_token_logps"] * mask
    torch.testing.assert_close(found, expected, rtol=CLOSE, atol=CLOSE)
    assert (found - old).abs().max() > 0.1


@pytest.mark.parametrize("config", GRID, ids=name)
def test_loss_and_gradient_are_those_of_trl(
    pair: Pair, off_policy: tuple[Batch, dict[str, Any]], config: GRPOConfig
) -> None:
    batch, inputs = off_policy
    loss, gradients = pair.run_trl(inputs, config)
    # Two passes over the batch, or its ratios would be taken to be 1.
    metrics, found = pair.run_ours(batch, replace(config, num_iterations=2))
    assert metrics.clip_fraction > 0
    assert metrics.loss / 2 == pytest.approx(loss, rel=CLOSE, abs=1e-7)
    halved = {name: gradient / 2 for name, gradient in found.items()}
    assert find_worst(halved, gradients) < CLOSE


@pytest.mark.parametrize("beta", [0.0, BETA])
def test_one_update_a_batch_is_on_policy_as_that_of_trl(
    pair: Pair, off_policy: tuple[Batch, dict[str, Any]], beta: float
) -> None:
    batch, inputs = off_policy
    config = replace(PLAIN, beta=beta)
    loss, gradients = pair.run_trl({**inputs, "old_per_token_logps": None}, config)
    metrics, found = pair.run_ours(batch, config)
    assert metrics.clip_fraction == 0
    assert metrics.loss == pytest.approx(loss, rel=CLOSE, abs=1e-7)
    assert find_worst(found, gradients) < CLOSE


@pytest.mark.parametrize("kind", LOSS_TYPES)
def test_minibatches_add_up_to_those_of_trl(
    pair: Pair, off_policy: tuple[Batch, dict[str, Any]], kind: str
) -> None:
    batch, inputs = off_policy
    config = replace(PLAIN, loss_type=kind, minibatches=len(LENGTHS))
    total, sums = 0.0, Counter()
    parts = split_tensor_dict(split_pixel_values_by_grid(inputs), len(LENGTHS))
    pair.trainer.args.steps_per_generation = len(LENGTHS)
    for part in map(unsplit_pixel_values_by_grid, parts):
        loss, gradients = pair.run_trl(part, config)
        total += loss
        sums.update(gradients)
    pair.trainer.args.steps_per_generation = 1
    metrics, found = pair.run_ours(batch, config)
    assert metrics.loss == pytest.approx(total, rel=CLOSE, abs=1e-7)
    assert find_worst(found, sums) < CLOSE


@pytest.mark.parametrize(
    ("case", "optimizer"), [("paper", "adam"), ("token", "sgd"), ("sequence", "sgd")]
)
def test_three_steps_end_in_the_weights_of_trl(
    home: Path, tmp_path: Path, case: str, optimizer: str
) -> None:
    config = replace(REPLAYS[case], num_iterations=3)
    build_optimizer = OPTIMIZERS[optimizer]
    pair = build_pair(home, tmp_path, build_optimizer)
    batch, _ = build_batch(pair.vlm, pair.groups, config, SAMPLING)
    ours = dict(pair.vlm.model.named_parameters())
    start = {name: weight.detach().clone() for name, weight in ours.items()}
    metrics = learn(pair.vlm, build_optimizer(ours.values()), batch, config)
    configure(pair.trainer, config)
    pair.trainer.train()
    theirs = dict(pair.trainer.model.named_parameters())
    assert pair.trainer.state.global_step == 3
    assert metrics.clip_fraction > 0
    assert find_worst(ours, theirs) < CLOSE
    assert find_worst(start, theirs) > 100 * CLOSE
