"""In which numbers an update multiplies: bfloat16 where it pays, else float32.

Processors without such products emulate them, and an update takes five to nine times as
long. Those that have them win a third with a whole model, and with adapters sometimes
nothing, so the model's own update is timed both ways.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import torch

from envs.scene import IMAGE_SIZE
from policy.model.vlm import VLM
from policy.records import Prompt
from policy.runtime.lanes import count_lanes
from policy.runtime.products import find_products
from policy.training.dry_step import build_dry_batch, update_dry
from policy.training.job import Job

AUTO = "auto"
MISSING = "the processor has no bfloat16 products"
PROMPTS = 4  # of a timed update: enough for two lanes, little enough to wait for
CLEARLY = 0.95  # a smaller win is noise, and runs on one machine should choose alike
ROUNDS = 3  # both ways, one after the other; the medians count


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What was chosen.

    Attributes:
        bf16: Whether products are of bfloat16 numbers.
        reason: Why, with what was measured.
        doubtful: Whether the other choice would be faster here.
    """

    bf16: bool
    reason: str
    doubtful: bool = False


def choose_precision(vlm: VLM, job: Job, wanted: str | bool) -> Precision:
    """Chooses what is faster on this machine, unless the user has chosen.

    Args:
        vlm: The policy; stays as it is.
        job: Says how an update looks.
        wanted: `AUTO`, true or false.
    """
    if wanted is False:
        return Precision(bf16=False, reason="as asked for")
    if _is_low(vlm):
        return Precision(
            bf16=bool(wanted is True), reason="the weights are low already"
        )
    there = find_products(vlm.model.device)
    if wanted is True and there:
        return Precision(bf16=True, reason=f"as asked for; {there}")
    if not there and wanted == AUTO:
        return Precision(bf16=False, reason=MISSING)
    low, full = time_updates(vlm, job)
    measured = f"an update took {low:.2f} s in bfloat16, {full:.2f} s in float32"
    if wanted is True:
        advice = "; algo.bf16=auto is faster" if low > full else ""
        reason = f"as asked for, though {MISSING}: {measured}{advice}"
        return Precision(bf16=True, reason=reason, doubtful=low > full)
    return Precision(bf16=low < CLEARLY * full, reason=f"{there}; {measured}")


def keep_precision(vlm: VLM, bf16: bool) -> Precision:
    """Returns the choice of a run that goes on: another would change its figures.

    Args:
        vlm: The policy.
        bf16: What the run began with.
    """
    if bf16 and not _is_low(vlm) and not find_products(vlm.model.device):
        reason = f"as the run began, though {MISSING}"
        return Precision(bf16=True, reason=reason, doubtful=True)
    return Precision(bf16=bf16, reason="as the run began")


def time_updates(vlm: VLM, job: Job) -> tuple[float, float]:
    """Returns the seconds of a small update in bfloat16 and in float32."""
    image = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    prompt = Prompt(image=image, instruction="lift the red mug")
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for i in range(ROUNDS + 1):
        # Answers' lengths hardly repeat, and bfloat16 products are compiled for each.
        length = max(1, job.rollout.max_new_tokens // 2 - i)
        batch = build_dry_batch(vlm, prompt, PROMPTS, job, length)
        for bf16, row in seconds.items():
            start = _now(vlm)
            update_dry(vlm, batch, replace(job.algo, bf16=bf16), count_lanes(vlm.model))
            row.append(_now(vlm) - start)
    return median(seconds[True][1:]), median(seconds[False][1:])


def _is_low(vlm: VLM) -> bool:
    """Whether most weights are themselves of fewer than 32 bits."""
    weights = list(vlm.model.parameters())
    low = sum(w.numel() for w in weights if w.dtype.itemsize < 4)
    return 2 * low > sum(w.numel() for w in weights)


def _now(vlm: VLM) -> float:
    if vlm.model.device.type == "cuda":
        torch.cuda.synchronize(vlm.model.device)
    return time.perf_counter()
