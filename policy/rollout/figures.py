"""What a step's rollouts amount to, for the log."""

from __future__ import annotations

from collections.abc import Sequence

from envs.records import ParseFailure
from policy.records import Group, Rollout
from rewards import TERMS
from rewards.terms import PHYSICAL


def describe(groups: Sequence[Group], several: bool = False) -> dict[str, float]:
    """Returns the means of a step's rollouts: reward, its terms, and how they read.

    `parse_rate` is the share of texts that could be read, `cut_off` of those that the
    token limit ended, `surprise` the mean negative log-probability of a token. Of
    several kinds of scenes there is also the success of each, `success/<scene>`. Where
    annotated images stand beside scenes, success and the other physical terms are of
    those alone that were executed, and each source has its `reward/<source>`,
    `affordance/<source>`, `endpoint/<source>` and `parse_rate/<source>`.

    Args:
        groups: Of the step.
        several: Whether other steps may have other kinds of scenes.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    count = len(rollouts)
    tokens = [len(r.completion.token_ids) for r in rollouts]
    logprobs = [float(r.completion.logprobs.sum(dtype=float)) for r in rollouts]
    parsed = sum(not isinstance(r.answer, ParseFailure) for r in rollouts)
    return {
        "reward": sum(r.reward.total for r in rollouts) / count,
        **{t: _average(t, rollouts) for t in TERMS},
        "parse_rate": parsed / count,
        "cut_off": sum(not r.completion.finished for r in rollouts) / count,
        "tokens": sum(tokens) / count,
        "surprise": -sum(logprobs) / max(sum(tokens), 1),
        **_describe_scenes(groups, several),
    }


def _average(term: str, rollouts: Sequence[Rollout]) -> float:
    """A term's mean; of a physical one that of what was executed, if anything was."""
    executed = [r for r in rollouts if r.outcome is not None]
    counted = (executed or rollouts) if term in PHYSICAL else rollouts
    return sum(r.reward.terms[term] for r in counted) / len(counted)


def _describe_scenes(groups: Sequence[Group], several: bool) -> dict[str, float]:
    names = sorted({group.scene.name for group in groups})
    if len(names) == 1 and not several:
        return {}
    rollouts: dict[str, list[Rollout]] = {name: [] for name in names}
    for group in groups:
        rollouts[group.scene.name] += group.rollouts
    executed = [n for n, row in rollouts.items() if row[0].outcome is not None]
    found = {f"success/{n}": _average("success", rollouts[n]) for n in executed}
    if 0 < len(executed) < len(names):
        for name, row in rollouts.items():
            found |= {f"{k}/{name}": v for k, v in _describe_source(row).items()}
    return found


def _describe_source(rollouts: Sequence[Rollout]) -> dict[str, float]:
    parsed = [not isinstance(r.answer, ParseFailure) for r in rollouts]
    return {
        "reward": sum(r.reward.total for r in rollouts) / len(rollouts),
        "affordance": _average("affordance", rollouts),
        "endpoint": _average("endpoint", rollouts),
        "parse_rate": sum(parsed) / len(parsed),
    }
