"""One scene answered once: the record that films, tables and training share."""

from __future__ import annotations

from dataclasses import dataclass

from envs.records import AnyAnswer, Completion, Outcome, ParseFailure, Reward
from envs.scene import AnyScene

UNREWARDED = Reward(terms={}, total=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rollout:
    """One scene, answered once, executed and judged.

    Attributes:
        scene: The scene as it was before the answer, or an annotated image.
        completion: What the policy said.
        answer: What it meant, or why it meant nothing.
        outcome: What happened; None when nothing was executed: a part of a plan, or
            an answer to an annotated image.
        reward: What it earned; without terms if no reward was asked for.
    """

    scene: AnyScene
    completion: Completion
    answer: AnyAnswer
    outcome: Outcome | None = None
    reward: Reward = UNREWARDED

    @property
    def text(self) -> str:
        """What the policy said, in words."""
        return self.completion.text

    @property
    def succeeded(self) -> bool:
        """Whether what was asked was done; a part of a plan has only to be readable."""
        if self.outcome is None:
            return not isinstance(self.answer, ParseFailure)
        return self.outcome.success

    @property
    def reason(self) -> str:
        """Why it failed, "" if it did not."""
        if self.outcome is not None:
            return self.outcome.reason
        return self.answer.reason if isinstance(self.answer, ParseFailure) else ""
