"""The reward function of TRL's GRPOTrainer, for files that scripts/export.py wrote.

GRPOTrainer(reward_funcs=SceneReward("mixed"), train_dataset=load_dataset(out), ...)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from policy.rollout.crew import LostWork
from policy.serving.case import read_case
from policy.serving.judge import SUCCESS, Verdict, check_case, read_mix
from policy.serving.pool import check_pool, give_up, open_pool, start_judging
from rewards import RewardMix


class SceneReward:
    """Executes and scores what a policy answered, in processes beside the training.

    TRL logs its name, and `success` and `parsed`, the shares of answers that did what
    was asked and that could be read; its table of completions has the reasons.

    Args:
        reward: The name of a file of conf/reward, weights of `rewards.TERMS`, or a mix.
        workers: Processes that execute; None is one a core.
        engine: "local" or "ray".
        address: Of the Ray cluster; see `policy.serving.pool.open_pool`.

    Raises:
        ValueError: An unknown reward, term or engine.
    """

    def __init__(
        self,
        reward: str | Mapping[str, float] | RewardMix = SUCCESS,
        *,
        workers: int | None = None,
        engine: str = "local",
        address: str | None = None,
    ) -> None:
        check_pool(workers, engine, address)
        self._mix = read_mix(reward)
        self._where = (workers, engine, address)

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **columns: Any,
    ) -> list[float]:
        """Returns a reward in 0..1 for each completion.

        Args:
            prompts: B prompts, not looked at.
            completions: B texts, or conversations of one turn.
            completion_ids: Not looked at.
            **columns: `scene`, B texts that `export.py` wrote; and what TRL adds.

        Raises:
            ValueError: There is no such column, or a text in it is no scene.
        """
        if "scene" not in columns:
            raise ValueError(
                "the data set has no column scene: write it by scripts/export.py "
                f"format=trl; its columns: {', '.join(sorted(columns)) or 'none'}"
            )
        texts = [_read_text(completion) for completion in completions]
        verdicts = self._judge(columns["scene"], texts)
        _log(verdicts, columns)
        return [verdict.reward for verdict in verdicts]

    def _judge(self, cases: Sequence[str], texts: Sequence[str]) -> list[Verdict]:
        """Verdicts; the answers to one scene are one piece of work."""
        places: dict[str, list[int]] = {}
        for place, case in enumerate(cases):
            check_case(read_case(case), self._mix)
            places.setdefault(case, []).append(place)
        pool, found = open_pool(*self._where), dict[int, Verdict]()
        asked = {case: [texts[i] for i in own] for case, own in places.items()}
        started = {c: start_judging(pool, c, asked[c], self._mix) for c in places}
        for case, future in started.items():
            try:
                verdicts = future.result()
            except LostWork as lost:
                verdicts = give_up(asked[case], lost)
            found.update(zip(places[case], verdicts, strict=True))
        return [found[place] for place in range(len(texts))]


def _read_text(completion: Any) -> str:
    """What was said: a text, or the last turn's content, in one piece or several."""
    said = completion
    if isinstance(said, list):
        said = said[-1].get("content") if said else ""
    if isinstance(said, list):
        said = "".join(part.get("text") or "" for part in said)
    return said or ""


def _log(verdicts: Sequence[Verdict], columns: Mapping[str, Any]) -> None:
    if log_metric := columns.get("log_metric"):
        log_metric("success", float(np.mean([v.success for v in verdicts])))
        log_metric("parsed", float(np.mean([v.parsed for v in verdicts])))
    if log_extra := columns.get("log_extra"):
        log_extra("reason", [verdict.reason for verdict in verdicts])
