"""What a step's rollouts amount to, for the log."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from envs.records import ParseFailure
from policy.records import Group, Rollout
from policy.rollout.picture_source import NAME
from rewards import TERMS
from rewards.terms import PHYSICAL


def describe(groups: Sequence[Group], kinds: Collection[str] = ()) -> dict[str, float]:
    """Returns the means of a step's rollouts: reward, its terms, and how they read.

    `parse_rate` is the share of texts that could be read, `cut_off` of those that the
    token limit ended, `surprise` the mean negative log-probability of a token. Of
    several kinds of scenes there is also the success of each, `success/<scene>`. Where
    annotated images stand beside scenes, success and the other physical terms are of
    those alone that were executed, and left out where none was. There each source has
    its `reward/<source>`, `affordance/<source>`, `endpoint/<source>` and
    `parse_rate/<source>`.

    Args:
        groups: Of the step.
        kinds: Names of the scenes, or of images, that other steps may have.
    """
    names = {*kinds, *(group.scene.name for group in groups)}
    mixed = NAME in names and len(names) > 1
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    count = len(rollouts)
    tokens = [len(r.completion.token_ids) for r in rollouts]
    logprobs = [float(r.completion.logprobs.sum(dtype=float)) for r in rollouts]
    parsed = sum(not isinstance(r.answer, ParseFailure) for r in rollouts)
    return {
        "reward": sum(r.reward.total for r in rollouts) / count,
        **_describe_terms(rollouts, mixed),
        "parse_rate": parsed / count,
        "cut_off": sum(not r.completion.finished for r in rollouts) / count,
        "tokens": sum(tokens) / count,
        "surprise": -sum(logprobs) / max(sum(tokens), 1),
        **(_describe_scenes(groups, mixed) if len(names) > 1 else {}),
    }


def _describe_terms(rollouts: Sequence[Rollout], mixed: bool) -> dict[str, float]:
    executed = [r for r in rollouts if r.outcome is not None] if mixed else rollouts
    counted = {term: executed if term in PHYSICAL else rollouts for term in TERMS}
    return {term: _average(term, among) for term, among in counted.items() if among}


def _average(term: str, rollouts: Sequence[Rollout]) -> float:
    return sum(r.reward.terms[term] for r in rollouts) / len(rollouts)


def _describe_scenes(groups: Sequence[Group], mixed: bool) -> dict[str, float]:
    names = sorted({group.scene.name for group in groups})
    rollouts: dict[str, list[Rollout]] = {name: [] for name in names}
    for group in groups:
        rollouts[group.scene.name] += group.rollouts
    executed = [n for n, row in rollouts.items() if row[0].outcome is not None]
    found = {f"success/{n}": _average("success", rollouts[n]) for n in executed}
    if mixed:
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
