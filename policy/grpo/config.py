"""The settings of the algorithm; a file of conf/algo/ makes one.

Names are those of TRL where it has the setting; `epsilon_low` is its `epsilon`.
Defaults are those of conf/algo/grpo.yaml, but for `bf16`, which the command chooses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from math import inf

from envs.randomization.factors import check_choice

SCALES = ("group", "batch", "none")
LOSS_TYPES = ("grpo", "bnpo", "dr_grpo", "dapo")
LEVELS = ("token", "sequence")
OPTIMIZERS = ("adam", "muon")
_CHOICES = {
    "scale_rewards": SCALES,
    "loss_type": LOSS_TYPES,
    "importance_sampling_level": LEVELS,
    "optimizer": OPTIMIZERS,
}
_LEAST = {
    "answer_weight": 0,
    "part_weight": 0,
    "expert_advantage": 0,
    "epsilon_low": 0,
    "epsilon_high": 0,
    "beta": 0,
    "num_iterations": 1,
    "minibatches": 1,
    "tokens_per_forward": 0,
    "warmup_steps": 0,
    "cooldown": 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningRates:
    """Adam's rate for each group of parameters; 0 leaves the group as it is.

    Attributes:
        tower: The vision encoder with its merger.
        language: The decoder layers, and adapters where there are any.
        embeddings: Token embeddings and the output head.
    """

    tower: float = 4e-4
    language: float = 5e-3
    embeddings: float = 3e-4

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not 0 <= getattr(self, name) < inf:
                raise ValueError(
                    f"algo.learning_rate.{name} is {getattr(self, name)}; at least 0, "
                    "finite"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPOConfig:
    """How rewards become an update.

    Attributes:
        scale_rewards: Divide advantages by the std of the `group`, of the `batch`, or
            by nothing (`none`).
        answer_weight: Weight of the sampled answers' advantage; 0 leaves the expert
            alone to learn from, which is supervised learning.
        part_weight: Weight of the per-part geometric advantage; 0 switches it off.
        expert_advantage: Advantage of the expert's answer, which joins the group of its
            scene in the first turn; 0 leaves it out, as do scenes without an expert.
        loss_type: Reduction over tokens, one of `LOSS_TYPES`.
        importance_sampling_level: One of `LEVELS`: each `token` has its own ratio, or
            all tokens of a `sequence` the geometric mean of theirs, which also spreads
            the advantages of parts over the whole answer.
        epsilon_low: The ratio is clipped at 1 - epsilon_low.
        epsilon_high: The ratio is clipped at 1 + epsilon_high.
        beta: Weight of the KL divergence to the reference; 0 skips its forward pass.
        use_bias_correction_kl: Multiply the divergence by the ratio, which makes its
            gradient that of the divergence of the policy from the reference.
        num_iterations: Passes over a batch of answers.
        minibatches: Optimiser steps a pass; must not exceed the prompts of a step.
        tokens_per_forward: Tokens of prompts and answers, padding included, in one
            forward and backward pass, to bound memory: as many groups as fit, at least
            one; 0 takes a whole minibatch. The update does not depend on it.
        bf16: Matrix products of the update in bfloat16; weights, softmax, loss and
            gradients stay float32. A third off an update on a CPU with such products.
        max_grad_norm: The gradient's norm is clipped here.
        average_decay: Decay of the running average of the weights, per step; 0 keeps
            the last weights instead.
        warmup_steps: Steps over which the rates grow to their values. Adam's first
            steps move every weight by the full rate, whatever the noise.
        cooldown: Last share of the run over which the rates fall to zero, 0 to 1.
        adam_beta2: Decay of Adam's second moment. 0.95 remembers 20 updates, a quarter
            of the usual run; 0.999 would never get beyond its first estimate.
        optimizer: One of `OPTIMIZERS`: `adam`, or `muon` for matrices inside layers
            with Adam for the rest, both in Adam's scale of rates.
        learning_rate: The rates.
    """

    scale_rewards: str = "batch"
    answer_weight: float = 1.0
    part_weight: float = 0.5
    expert_advantage: float = 0.0
    loss_type: str = "dapo"
    importance_sampling_level: str = "token"
    epsilon_low: float = 0.2
    epsilon_high: float = 0.2
    beta: float = 0.0
    use_bias_correction_kl: bool = True
    num_iterations: int = 2
    minibatches: int = 1
    tokens_per_forward: int = 2048
    bf16: bool = False
    max_grad_norm: float = 1.0
    average_decay: float = 0.9
    warmup_steps: int = 3
    cooldown: float = 0.8
    adam_beta2: float = 0.95
    optimizer: str = "adam"
    learning_rate: LearningRates = field(default_factory=LearningRates)

    def __post_init__(self) -> None:
        """Refuse unknown names and numbers that mean nothing."""
        for name, choices in _CHOICES.items():
            check_choice(f"algo.{name}", getattr(self, name), choices)
        if not isinstance(self.bf16, bool):
            raise ValueError(f"algo.bf16 is {self.bf16!r}; true or false")
        for name, least in _LEAST.items():
            self._need(name, getattr(self, name) >= least, f"at least {least}")
            if name != "epsilon_high":  # which clips nothing where it is infinite
                self._need(name, getattr(self, name) < math.inf, "must be finite")
        for name in ("epsilon_low", "cooldown"):
            self._need(name, getattr(self, name) <= 1, "at most 1")
        for name in ("average_decay", "adam_beta2"):
            self._need(name, 0 <= getattr(self, name) < 1, "must be in [0, 1)")
        self._need("max_grad_norm", self.max_grad_norm > 0, "must be above 0")

    def _need(self, name: str, fits: bool, what: str) -> None:
        if not fits:
            raise ValueError(f"algo.{name} is {getattr(self, name)}; {what}")
