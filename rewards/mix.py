"""Which terms count how much, and the total of one answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from envs.records import (
    Affordance,
    AnyAnswer,
    Outcome,
    ParseFailure,
    Plan,
    Reference,
    Reward,
    Trajectory,
)
from rewards.metrics import compute_metrics
from rewards.terms import (
    GEOMETRIC,
    PHYSICAL,
    TERMS,
    TERMS_OF,
    compute_gate,
    score_format,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardMix:
    """Weights of the terms; a file of conf/reward/ makes one.

    Attributes:
        weights: Term name to weight >= 0; terms left out weigh nothing. The weight of
            success, where there is one, is at least the sum of all others, so that no
            failure is ever worth more than a success.
        gated: Whether geometric terms are multiplied by the outcome's gate (1 on
            success, else its progress) before they are summed.
        name: For logs and error messages.
    """

    weights: Mapping[str, float]
    gated: bool = False
    name: str = "custom"

    def __post_init__(self) -> None:
        """Check the weights and copy them to a plain dict."""
        weights = dict(self.weights)
        if unknown := sorted(set(weights) - set(TERMS)):
            raise ValueError(
                f"reward mix {self.name!r}: unknown terms {unknown}; "
                f"valid terms: {', '.join(TERMS)}"
            )
        for term, weight in weights.items():
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not (number and math.isfinite(weight) and weight >= 0):
                raise ValueError(
                    f"reward mix {self.name!r}: weight of {term!r} is {weight!r}; "
                    "need a finite number >= 0"
                )
        if not any(weights.values()):
            raise ValueError(
                f"reward mix {self.name!r}: no weight above 0; "
                f"valid terms: {', '.join(TERMS)}"
            )
        _check_success_wins(self.name, weights)
        object.__setattr__(self, "weights", weights)

    @property
    def needs_reference(self) -> bool:
        """Whether a geometric term counts."""
        return bool(_find_weighed(self, GEOMETRIC))

    def without_reference(self) -> RewardMix:
        """What is left of it in a scene without an expert.

        Raises:
            ValueError: Nothing is.
        """
        left = {t: w for t, w in self.weights.items() if t not in GEOMETRIC}
        return replace(self, weights=left)

    @property
    def needs_outcome(self) -> bool:
        """Whether a physical term or the gate counts."""
        gate = self.gated and self.needs_reference
        return gate or bool(_find_weighed(self, PHYSICAL))


def check_answer(mix: RewardMix, kind: str) -> None:
    """Refuses a mix that cannot judge what is asked.

    Args:
        mix: The weights.
        kind: One of `envs.records.ANSWERS`.

    Raises:
        ValueError: The mix judges a simulation, but a part of a plan is not executed,
            or none of its weights is on a term that applies.
    """
    if kind != Plan.kind and mix.needs_outcome:
        raise ValueError(
            f"reward mix {mix.name!r} weighs {_find_physical(mix)}, which judge a "
            f"simulation, but answer={kind} is not executed: use reward=paper"
        )
    if not any(mix.weights.get(term, 0) > 0 for term in TERMS_OF[kind]):
        raise ValueError(
            f"reward mix {mix.name!r} weighs nothing that judges answer={kind}, which "
            f"are {', '.join(TERMS_OF[kind])}: use reward=paper"
        )


def score(
    answer: AnyAnswer,
    reference: Reference | None,
    outcome: Outcome | None,
    mix: RewardMix,
) -> Reward:
    """Judge one answer.

    Args:
        answer: What was read from the model's text: a plan, or the part of one that was
            asked for. Of a part only the terms count that judge it.
        reference: The expert's answer, or None in a scene without one.
        outcome: What the simulation said, or None if nothing was simulated. Ignored
            for an answer that could not be read: every term of it is 0.
        mix: The weights.

    Returns:
        Every term of `TERMS` in 0..1, before gating (0 where it does not apply or its
        input is None), and the weighted mean of those of the mix that apply in 0..1,
        after gating.

    Raises:
        ValueError: If a term with a weight lacks its input or leaves 0..1, or no term
            that applies has a weight.
    """
    _check_inputs(answer, reference, outcome, mix)
    if isinstance(answer, ParseFailure):
        return Reward(terms=dict.fromkeys(TERMS, 0.0), total=0.0)
    terms = _score_terms(answer, reference, outcome)
    weights = {t: mix.weights.get(t, 0.0) for t in TERMS_OF[answer.kind]}
    gate = compute_gate(outcome) if mix.gated and outcome is not None else 1.0
    total = math.fsum(
        weight * terms[term] * (gate if term in GEOMETRIC else 1.0)
        for term, weight in weights.items()
    )
    return Reward(terms=terms, total=total / math.fsum(weights.values()))


def _score_terms(
    answer: Plan | Affordance | Trajectory,
    reference: Reference | None,
    outcome: Outcome | None,
) -> dict[str, float]:
    """Every term, 0 where it does not apply."""
    found = {"format": score_format(answer)}
    if reference is not None:
        metrics = compute_metrics(answer, reference)
        found |= {name: term(metrics) for name, term in GEOMETRIC.items()}
    if outcome is not None:
        found |= {name: term(outcome) for name, term in PHYSICAL.items()}
    for name, value in found.items():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"reward term {name!r} is {value!r}, outside 0..1")
    applying = TERMS_OF[answer.kind]
    return {name: found.get(name, 0.0) if name in applying else 0.0 for name in TERMS}


def _check_inputs(
    answer: AnyAnswer,
    reference: Reference | None,
    outcome: Outcome | None,
    mix: RewardMix,
) -> None:
    """Refuse to score a term that has a weight but no input."""
    if reference is None and mix.needs_reference:
        raise ValueError(
            f"reward mix {mix.name!r} weighs {_find_weighed(mix, GEOMETRIC)}, which "
            "compare with a reference, but this scene has none: use reward=success"
        )
    if isinstance(answer, ParseFailure):
        return
    check_answer(mix, answer.kind)
    if outcome is None and mix.needs_outcome:
        raise ValueError(
            f"reward mix {mix.name!r} weighs {_find_physical(mix)}, which judge a "
            "simulation, but there is no outcome: execute the plan first, or use "
            "reward=paper"
        )


def _find_physical(mix: RewardMix) -> list[str]:
    """What of a mix needs an outcome."""
    return _find_weighed(mix, PHYSICAL) or ["gated"]


def _find_weighed(mix: RewardMix, terms: Mapping[str, object]) -> list[str]:
    """The names among `terms` whose weight is above 0."""
    return [term for term in terms if mix.weights.get(term, 0) > 0]


def _check_success_wins(name: str, weights: Mapping[str, float]) -> None:
    """Refuse a mix in which a failure could be worth more than a success."""
    success = weights.get("success", 0.0)
    others = math.fsum(weights.values()) - success
    if 0 < success < others and not math.isclose(success, others):
        raise ValueError(
            f"reward mix {name!r}: the weight of success is {success:g} but the others "
            f"sum to {others:g}, so a failure could beat a success; raise success to "
            f"at least {others:g}, or set it to 0 to train without it"
        )
