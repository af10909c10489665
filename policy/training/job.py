"""What to train, on what and how long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from envs.registry import has_expert, list_scenes
from policy.grpo.config import GRPOConfig
from policy.records import GroupCount
from policy.rollout.config import RolloutConfig
from policy.rollout.mixed_source import Source
from rewards import RewardMix

if TYPE_CHECKING:
    from policy.grpo.batch import Sampling

LARGE = 100e6  # parameters; the default policy has 6 million
FAST = 1e-3  # the default policy's adapters learn at 5e-3, those of a large one at 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training run.

    Attributes:
        source: Scenes, or annotated images, to learn from.
        mix: What they reward.
        picture_mix: What annotated images reward beside scenes; as scenes if None.
        algo: How to learn. Parts of an answer have no advantage of their own where the
            reward compares with no expert.
        rollout: How to sample.
        seed: Seeds scenes, samples and minibatches.
        steps: GRPO steps.
        n: Held-out scenes of the evaluations before and after; 0 leaves them out.
        videos: Attempts in each of the videos before and after.
        checkpoint_every: Steps between checkpoints; the last step has one anyway.
        keep: How many of the newest checkpoints stay; 0 keeps all.
    """

    source: Source
    mix: RewardMix
    algo: GRPOConfig
    rollout: RolloutConfig
    picture_mix: RewardMix | None = None
    seed: int = 0
    steps: int = 44
    n: int = 400
    videos: int = 4
    checkpoint_every: int = 20
    keep: int = 3

    def __post_init__(self) -> None:
        """Refuse counts that mean nothing, and what cannot be rewarded or measured."""
        least = {
            "steps": 1,
            "n": 0,
            "videos": 0,
            "checkpoint_every": 1,
            "keep": 0,
            "seed": 0,
        }
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ValueError(f"{name} is {getattr(self, name)}; at least {value}")
        if not self.mix.needs_reference:
            object.__setattr__(self, "algo", replace(self.algo, part_weight=0.0))
        if self.algo.minibatches > self.rollout.prompts:
            raise ValueError(
                f"algo.minibatches is {self.algo.minibatches}, more than "
                f"rollout.prompts={self.rollout.prompts}"
            )
        self._check_experts()
        self.source.check_turns(self.rollout.max_turns)
        self.source.check_mix(self.mix, self.picture_mix)
        if self.n:
            self.source.held_out()

    def _check_experts(self) -> None:
        """Refuses to learn from experts alone where there is none."""
        alone = self.algo.expert_advantage and not self.algo.answer_weight
        for name in self.source.names if alone else ():
            if name in list_scenes() and not has_expert(name):
                raise ValueError(f"env={name} has no expert, and only experts teach")

    @property
    def answers(self) -> int:
        """The most answers to a prompt, the expert's among them."""
        return self.rollout.num_generations + (self.algo.expert_advantage != 0)

    @property
    def sampling(self) -> Sampling:
        """How answers are drawn, as the update has to know it."""
        from policy.grpo.batch import Sampling  # loads torch; a job alone does not

        return Sampling(
            temperature=self.rollout.temperature,
            max_new_tokens=self.rollout.max_new_tokens,
        )

    def doubt_rates(self, counts: Sequence[GroupCount]) -> str:
        """Returns what is wrong with the rates of a large policy, "" if nothing is.

        Args:
            counts: How much of the policy there is, and trains.
        """
        total = sum(count.total for count in counts)
        for count in counts if total > LARGE else ():
            name = "language" if count.group == "adapters" else count.group
            rate = getattr(self.algo.learning_rate, name)
            if count.trainable and rate > FAST:
                return (
                    f"algo.learning_rate.{name} is {rate:g}, which is meant for the "
                    "default policy of 6 million parameters; this one has "
                    f"{total / 1e6:,.0f} million: take algo=paper rollout=long, or a "
                    "rate like its 1e-5"
                )
        return ""

    def count_together(self, processes: int, tokens: int) -> int:
        """Returns how many groups one forward pass of the update takes at most.

        Args:
            processes: They share the groups.
            tokens: The longest prompt's tokens; all answers are as long as they may be.
        """
        prompts = self.rollout.prompts * self.rollout.max_turns
        share = math.ceil(prompts / self.algo.minibatches / processes)
        group = tokens + self.answers * self.rollout.max_new_tokens
        budget = self.algo.tokens_per_forward or share * group
        return min(share, max(1, budget // group))
