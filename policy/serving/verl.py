"""The reward function of verl, for files that scripts/export.py wrote.

reward.custom_reward_function.path=pkg://policy.serving.verl
+reward.custom_reward_function.reward_kwargs.reward=mixed
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from envs.randomization.factors import check_choice
from policy.rollout.crew import LostWork
from policy.serving.case import read_case
from policy.serving.judge import SUCCESS, check_case, read_mix
from policy.serving.pool import give_up, open_pool, start_judging

OPTIONS = ("reward", "workers", "engine", "address")
ADDED = ("reward_router_address", "reward_model_tokenizer")  # by verl, not read here


async def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, float]:
    """Executes and scores one answer; as many at once as there are workers.

    Args:
        data_source: Not looked at.
        solution_str: What the policy said.
        ground_truth: The scene, as `export.py` wrote it.
        extra_info: Not looked at.
        **options: verl's `reward_kwargs`: `reward`, the name of a file of conf/reward
            or weights of `rewards.TERMS`; `workers` (1), `engine` and `address` of
            `policy.serving.pool.open_pool`. verl starts `reward.num_workers` processes
            that call this, each of which has workers of its own. `ADDED` is not
            looked at.

    Returns:
        `score` in 0..1, the reward; `acc`, 1 where the answer did what was asked;
        `parsed`, 1 where it could be read.

    Raises:
        ValueError: `ground_truth` is no scene, or an option is unknown or cannot be.
    """
    for name in options:
        if name not in ADDED:
            check_choice("reward_kwargs", name, OPTIONS)
    mix = read_mix(options.get("reward", SUCCESS))
    check_case(read_case(ground_truth), mix)
    where = {name: options[name] for name in ("engine", "address") if name in options}
    pool = open_pool(options.get("workers", 1), **where)
    started = start_judging(pool, ground_truth, [solution_str], mix)
    try:
        [verdict] = await asyncio.wrap_future(started)
    except LostWork as lost:
        [verdict] = give_up([solution_str], lost)
    return {
        "score": verdict.reward,
        "acc": float(verdict.success),
        "parsed": float(verdict.parsed),
    }
