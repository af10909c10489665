"""What a step's rollouts amount to, for the log."""

from __future__ import annotations

from collections.abc import Sequence

from envs.records import ParseFailure
from policy.records import Group
from rewards import TERMS


def describe(groups: Sequence[Group]) -> dict[str, float]:
    """Returns the means of a step's rollouts: reward, its terms, and how they read.

    `parse_rate` is the share of texts that could be read, `cut_off` of those that the
    token limit ended, `surprise` the mean negative log-probability of a token. Of
    several kinds of scenes there is also the success of each, `success/<scene>`.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    count = len(rollouts)
    tokens = [len(r.completion.token_ids) for r in rollouts]
    logprobs = [float(r.completion.logprobs.sum(dtype=float)) for r in rollouts]
    parsed = sum(not isinstance(r.answer, ParseFailure) for r in rollouts)
    return {
        "reward": sum(r.reward.total for r in rollouts) / count,
        **{t: sum(r.reward.terms[t] for r in rollouts) / count for t in TERMS},
        "parse_rate": parsed / count,
        "cut_off": sum(not r.completion.finished for r in rollouts) / count,
        "tokens": sum(tokens) / count,
        "surprise": -sum(logprobs) / max(sum(tokens), 1),
        **_describe_scenes(groups),
    }


def _describe_scenes(groups: Sequence[Group]) -> dict[str, float]:
    names = sorted({group.scene.name for group in groups})
    if len(names) == 1:
        return {}
    successes = {name: [] for name in names}
    for group in groups:
        found = [rollout.reward.terms["success"] for rollout in group.rollouts]
        successes[group.scene.name] += found
    return {f"success/{n}": sum(row) / len(row) for n, row in successes.items()}
