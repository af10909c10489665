"""How supervised training is set up. Loads no torch: a mistake is answered at once."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

LEAST = {"steps": 0, "batch": 1, "every": 1, "held_out": 1, "workers": 0}
LEAST |= dict.fromkeys(("decay", "blur", "tower_weight", "cue_weight", "save_s"), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SFTConfig:
    """How to train; defaults are those of conf/warmstart.yaml, but for `bf16`.

    Attributes:
        minutes: Budget of training time; the schedule follows the clock. Unused when
            `steps` is set.
        steps: Budget in steps, or 0: the schedule then follows the step count and a
            run is reproducible to the bit.
        batch: Examples a step.
        rate: Peak learning rate of AdamW.
        rate_matrices: Peak learning rate of Muon, in AdamW's scale.
        warmup: Share of the budget over which rates rise.
        hold: Share of the budget after which rates start to fall, linearly to 0.
        decay: Weight decay of the matrices inside layers.
        clip: Largest gradient norm.
        blur: Standard deviation of coordinate targets at the start, in 0..1000 units.
        sharp: Share of the budget after which coordinate targets are hard.
        tower_weight: Weight of the part loss on the tower's tokens.
        cue_weight: Weight of the target loss on the language model's image tokens.
        every: Steps between two lines of the log.
        held_out: Held-out examples the logged figures are measured on.
        save_s: Seconds between two saves of the state.
        workers: Processes that make examples; 0 for none beside the trainer.
        bf16: Whether products are of bfloat16 numbers; pays where the device has such.

    Raises:
        ValueError: A value that means nothing.
    """

    minutes: float = 36.0
    steps: int = 0
    batch: int = 32
    rate: float = 1e-3
    rate_matrices: float = 1.5e-3
    warmup: float = 0.02
    hold: float = 0.4
    decay: float = 0.05
    clip: float = 1.0
    blur: float = 20.0
    sharp: float = 0.75
    tower_weight: float = 1.0
    cue_weight: float = 1.0
    every: int = 25
    held_out: int = 64
    save_s: float = 180.0
    workers: int = 1
    bf16: bool = False

    def __post_init__(self) -> None:
        """Refuses what means nothing; the message names the value."""
        for name, least in LEAST.items():
            if not least <= (value := getattr(self, name)) < inf:
                raise ValueError(f"sft.{name} is {value}; at least {least}, finite")
        for name in ("rate", "rate_matrices", "warmup", "sharp", "clip"):
            if not 0 < getattr(self, name) < inf:
                raise ValueError(f"sft.{name} is {getattr(self, name)}; above 0")
        if not 0 <= self.hold < 1:
            raise ValueError(f"sft.hold is {self.hold}; in 0..1, not 1")
        if not self.steps and not 0 < self.minutes < inf:
            raise ValueError(f"minutes is {self.minutes}; above 0")
