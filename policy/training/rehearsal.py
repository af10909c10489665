"""A dry step of the worst case, so that memory runs short at once or never.

The update of as many prompts as one pass takes, the longest of the first step, each
with answers of the full length. Its gradient is thrown away; nothing is drawn and no
weight touched, so the run is the same with and without. On a GPU the pass itself is
run. A CPU's memory is shared and swapped, so there a pass of one and one of two prompts
say what each prompt costs, and the sum is compared with what is free.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from policy.grpo.average import list_trainable
from policy.model.masters import needs_master
from policy.model.vlm import VLM
from policy.records import Prompt
from policy.runtime.lanes import count_lanes
from policy.runtime.memory import GIB, count_saved_bytes, measure_free_bytes
from policy.training.dry_step import build_dry_batch, update_dry
from policy.training.job import Job

LOGITS_HELD = 2.0  # times what is kept of the largest tensor: gradients of the logits


def rehearse(vlm: VLM, prompts: Sequence[Prompt], job: Job, processes: int = 1) -> None:
    """Makes sure that the largest update fits.

    Args:
        vlm: The policy; stays as it is.
        prompts: The prompts of the first step.
        job: Says how large an update may be.
        processes: They share the prompts.

    Raises:
        MemoryError: If it does not fit; says what to lower.
        ValueError: If the longest prompt and answer exceed the model's context.
    """
    longest = max(prompts, key=vlm.count_tokens)
    count = job.count_together(processes, vlm.count_tokens(longest))
    if vlm.model.device.type == "cuda":
        _try(vlm, longest, count, job)
        return
    needed = _predict(vlm, longest, count, job) + _count_optimizer_bytes(vlm, job)
    free = measure_free_bytes()
    if needed > free:
        found = f"needs about {needed / GIB:.2f} GiB, and {free / GIB:.2f} GiB are free"
        raise MemoryError(_explain(found, count, job))


def _try(vlm: VLM, prompt: Prompt, count: int, job: Job) -> None:
    """Runs the worst case on a GPU, beside room for the optimizer's state."""
    room = torch.empty(0)
    try:
        size = _count_optimizer_bytes(vlm, job)
        room = torch.empty(size, dtype=torch.uint8, device=vlm.model.device)
        _run(vlm, prompt, count, job)
    except torch.OutOfMemoryError as error:
        total = torch.cuda.mem_get_info(vlm.model.device)[1] / GIB
        found = f"does not fit the GPU's {total:.1f} GiB"
        raise MemoryError(_explain(found, count, job)) from error
    finally:
        del room
        torch.cuda.empty_cache()


def _predict(vlm: VLM, prompt: Prompt, count: int, job: Job) -> float:
    """Returns the bytes of a pass: what one prompt needs, and what each further one."""
    sizes = []
    for prompts in (1, 2)[: min(count, 2)]:
        with count_saved_bytes(vlm.model) as saved:
            _run(vlm, prompt, prompts, job)
        sizes.append(sum(saved) + LOGITS_HELD * max(saved))
    return sizes[0] + (count - 1) * (sizes[-1] - sizes[0])


def _run(vlm: VLM, prompt: Prompt, count: int, job: Job) -> None:
    """Forward and backward of one pass of the longest answers, in one lane.

    What is saved for the gradient is counted in this thread alone.
    """
    longest = job.rollout.max_new_tokens
    update_dry(vlm, build_dry_batch(vlm, prompt, count, job, longest), job.algo)


def _count_optimizer_bytes(vlm: VLM, job: Job) -> int:
    """Returns the bytes of gradients, moments and masters, at their most."""
    lanes = count_lanes(vlm.model)
    gradients = 1 + lanes if lanes > 1 else 1  # the sum, and one that each lane adds
    fixed = gradients + (1 if job.algo.optimizer == "muon" else 2)
    return sum(
        4 * p.numel() * (fixed + needs_master(p)) for _, p in list_trainable(vlm)
    )


def _explain(found: str, count: int, job: Job) -> str:
    length = job.rollout.max_new_tokens
    return (
        f"an update of {count} prompts with {job.answers} answers of {length} tokens "
        f"{found}: lower algo.tokens_per_forward ({job.algo.tokens_per_forward}), "
        f"rollout.num_generations ({job.rollout.num_generations}) or "
        f"rollout.max_new_tokens ({length}), or train adapters (policy.lora) or fewer "
        "parts (policy.trainable)"
    )
