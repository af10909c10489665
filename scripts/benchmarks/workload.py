"""What is measured: a policy, prompts, and a GRPO step of known length.

Sampling and update are those of training, optimizer included. For comparisons every
answer has the same number of tokens and any two answers differ in reward, so that all
ways do equal work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import policy.model.share
from policy.grpo.batch import Batch, Policy, Sampling
from policy.grpo.config import GRPOConfig, LearningRates
from policy.grpo.grpo import compute_advantages, update
from policy.grpo.optimizer import build_optimizer, set_rates
from policy.model.processing import Processor
from policy.model.prompt import build_prompt
from policy.model.vlm import VLM
from policy.records import Completion, LoraSpec, Prompt
from policy.rollout.collect import RolloutConfig
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from policy.runtime.clock import Clock
from policy.runtime.lanes import count_lanes
from rewards import RewardMix

from .stopwatch import watch

RATE = 1e-6  # of the optimizer: a step is to be real and change next to nothing
PLAIN = GRPOConfig(  # as TRL's defaults
    scale_rewards="group",
    part_weight=0.0,
    num_iterations=1,
    tokens_per_forward=0,
    warmup_steps=0,
    cooldown=0.0,
    learning_rate=LearningRates(tower=RATE, language=RATE, embeddings=RATE),
)
Groups = Sequence[Sequence[Completion]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured.

    Attributes:
        rounds: Measurements of each figure, after one that warms up.
        prompts: Scenes a step, P.
        generations: Numbers of answers a prompt, G, smallest first.
        groups: G of the comparisons, the last for the figures that name none.
        tokens: Lengths of answers, the last for the figures that name none.
        passes: Forward and backward passes that an update is split into.
        trl_passes: The same of TRL, for which another number may be the fastest.
        seeds: Scenes of each kind in which executors are compared, 8 plans each.
        image: Side of the prompts' images in pixels; None leaves them as they are.
    """

    rounds: int
    prompts: int
    generations: Sequence[int]
    groups: Sequence[int]
    tokens: Sequence[int]
    passes: int
    trl_passes: int
    seeds: int
    image: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What the parts of the benchmark get.

    Attributes:
        home: Directory of the policy.
        dtype: The type of its weights.
        lora: Its adapters.
        gradient_checkpointing: Whether its layers run again for the gradient.
        load: Loads it anew.
        source: Where scenes come from.
        mix: The reward.
        algo: The update of a whole step.
        rollout: The sampling of a whole step.
        workers: They make scenes and execute.
        size: How much is measured.
        trl_bf16: Whether TRL's products are in bfloat16; `algo` tells of ours.
    """

    home: Path
    dtype: str
    lora: LoraSpec | None
    gradient_checkpointing: bool
    load: Callable[[], VLM]
    source: SceneSource
    mix: RewardMix
    algo: GRPOConfig
    rollout: RolloutConfig
    workers: Workers
    size: Size
    trl_bf16: bool = False

    def build_prompts(self, count: int) -> list[Prompt]:
        """Returns the prompts of the first scenes of the source."""
        scenes = next(self.workers.make_scenes(self.source, [range(count)]))
        prompts = [build_prompt(scene.observation) for scene in scenes]
        return [self._resize(prompt) for prompt in prompts]

    def _resize(self, prompt: Prompt) -> Prompt:
        if self.size.image is None:
            return prompt
        side = (self.size.image, self.size.image)
        image = Image.fromarray(prompt.image).resize(side)
        return replace(prompt, image=np.asarray(image))


class FixedLength:
    """Samples answers of one length and learns from them, as training does.

    Args:
        vlm: The policy.
        passes: That an update is split into.
        bf16: Whether its products are in bfloat16.
    """

    def __init__(self, vlm: VLM, passes: int = 1, *, bf16: bool = False) -> None:
        self.vlm = vlm
        self._passes = passes
        self._bf16 = bf16
        self.optimizer = build_optimizer(vlm, PLAIN)
        set_rates(self.optimizer, PLAIN, step=1, steps=1)

    def sample(self, prompts: Sequence[Prompt], n: int, tokens: int) -> Groups:
        """Returns n answers to each prompt, of exactly so many tokens."""
        with _endless(self.vlm):
            return self.vlm.sample(prompts, n, temperature=1.0, max_new_tokens=tokens)

    def update(
        self, prompts: Sequence[Prompt], groups: Groups, policy: Policy | None = None
    ) -> None:
        """Steps the weights by made-up rewards; `policy` scores in place of the own."""
        batch = build_batch(prompts, groups)
        budget = self._budget(batch)
        config = replace(PLAIN, tokens_per_forward=budget, bf16=self._bf16)
        update(
            policy or self.vlm,
            self.optimizer,
            batch,
            config,
            torch.Generator().manual_seed(0),
            lanes=count_lanes(self.vlm.model),
        )

    def _budget(self, batch: Batch) -> int:
        """Returns the tokens a pass that make as many passes as wanted."""
        if self._passes == 1:
            return 0
        count, group, length = batch.mask.shape
        asked = max(self.vlm.count_tokens(prompt) for prompt in batch.prompts)
        return -(-count // self._passes) * (asked + group * length)

    def run(
        self, prompts: Sequence[Prompt], n: int, tokens: int, clock: Clock
    ) -> Groups:
        """Samples and learns; tells the clock of each stage."""
        prompts = [replace(prompt) for prompt in prompts]  # as new as those of training
        with watch_sampling(clock, self.vlm), clock.measure("read"):
            groups = self.sample(prompts, n, tokens)
        with clock.measure("update"):
            self.update(prompts, groups)
        return groups


def build_batch(prompts: Sequence[Prompt], groups: Groups) -> Batch:
    """Returns answers of one length; the later in its group, the better the reward."""
    rewards = torch.tensor([[float(i) for i in range(len(row))] for row in groups])
    old = torch.tensor(np.array([[c.logprobs for c in group] for group in groups]))
    mask = torch.ones_like(old)
    advantages: Tensor = compute_advantages(rewards)[..., None] * mask
    return Batch(
        sampling=Sampling(temperature=1.0, max_new_tokens=mask.shape[-1]),
        prompts=prompts,
        completions=groups,
        advantages=advantages,
        mask=mask,
        old_logprobs=old,
    )


def list_unsayable(vlm: VLM) -> list[int]:
    """Returns the tokens that `generate` must not say: they would ask for images."""
    stops = vlm.vocabulary.stops.nonzero()[:, 0].tolist()
    return sorted(vlm.processor.list_control_ids() - set(stops))


def count_sampling_lanes(vlm: VLM, prompts: int) -> int:
    """Returns the lanes in which so many prompts are answered."""
    return min(count_lanes(vlm.model), prompts)


def watch_sampling(clock: Clock, vlm: VLM):
    """Measures the stages of sampling: prepare, tower, prefill, decode."""
    return watch(
        clock,
        {
            "prepare": (Processor, "encode"),
            "tower": (vlm.model.base_model, "get_image_features"),
            "prefill": (policy.model.share, "prefill"),
            "decode": (policy.model.share, "sample_tokens"),
        },
    )


@contextmanager
def _endless(vlm: VLM) -> Iterator[None]:
    """Lets nothing end an answer but its length."""
    usual, never = vlm.vocabulary, torch.zeros_like(vlm.vocabulary.stops)
    vlm.vocabulary = replace(usual, stops=never, closing=never)
    try:
        yield
    finally:
        vlm.vocabulary = usual
