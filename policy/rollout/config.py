"""How experience is gathered: how many scenes, answers and turns."""

from __future__ import annotations

from dataclasses import dataclass

from envs.randomization.factors import check_choice

ENGINES = ("local", "ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutConfig:
    """How answers are drawn; a file of conf/rollout/ makes one.

    Defaults are those of conf/rollout/short.yaml.

    Attributes:
        prompts: Scenes a step, P.
        num_generations: Answers a scene, G; at least 2, they are compared.
        max_turns: Turns of a scene; from the second on, what a failed answer left is
            a prompt of its own.
        temperature: That of sampling, above 0.
        max_new_tokens: Longest answer.
        focus: Part of a step, 0..1, that goes to those of several kinds of scenes
            whose outcome is open; see `policy.rollout.curriculum`.
        workers: Processes for scenes and simulation; None is one a core, 0 none.
        engine: Who starts them: "local", this program, or "ray".
        address: Of the Ray cluster to join, or "auto"; None starts Ray here.
    """

    prompts: int = 16
    num_generations: int = 8
    max_turns: int = 1
    temperature: float = 1.0
    max_new_tokens: int = 64
    focus: float = 0.0
    workers: int | None = None
    engine: str = "local"
    address: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be learned from."""
        least = {
            "prompts": 1,
            "num_generations": 2,
            "max_turns": 1,
            "max_new_tokens": 1,
        }
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ValueError(
                    f"rollout.{name} is {getattr(self, name)}; at least {value} needed"
                )
        if not self.temperature > 0:
            raise ValueError(f"rollout.temperature is {self.temperature}; must be > 0")
        if not 0 <= self.focus <= 1:
            raise ValueError(f"rollout.focus is {self.focus}; must be in 0..1")
        whole = type(self.workers) is int and self.workers >= 0
        if not (whole or self.workers is None):
            raise ValueError(
                f"rollout.workers is {self.workers!r}; null or a whole number from 0"
            )
        check_choice("rollout.engine", self.engine, ENGINES)
        if self.address is not None and self.engine != "ray":
            raise ValueError(
                f"rollout.address={self.address} is for rollout.engine=ray"
            )
