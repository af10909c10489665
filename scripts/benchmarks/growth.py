"""Cost against the number of answers a prompt, G, at the same prompts."""

from __future__ import annotations

from policy.runtime.memory import measure_peak_gib

from .figures import Figures, divide, summarise, summarise_rows
from .stopwatch import Stopwatch
from .workload import FixedLength, Workload, count_sampling_lanes


def measure_growth(work: Workload) -> Figures:
    """Returns seconds of the stages for each G, and how they grow.

    `prompt_growth` is that of tower and prefill from the smallest G to the largest,
    which should be 1; `update_growth` that of the update, in parts of that of G: at
    most 1 is at most linear.
    """
    size, learner = work.size, FixedLength(work.load(), work.size.passes)
    prompts = work.build_prompts(size.prompts)
    lanes = count_sampling_lanes(learner.vlm, size.prompts)
    rows: dict[int, list[dict[str, float]]] = {n: [] for n in size.generations}
    for _ in range(size.rounds + 1):
        for n, kept in rows.items():
            clock = Stopwatch(lanes)
            learner.run(prompts, n, size.tokens[-1], clock)
            kept.append(clock.seconds)
    rows = {n: kept[1:] for n, kept in rows.items()}
    least, most = min(rows), max(rows)
    prompt = {n: [r["tower"] + r["prefill"] for r in kept] for n, kept in rows.items()}
    learn = {n: [row["update"] for row in kept] for n, kept in rows.items()}
    linear = [t * most / least for t in learn[least]]
    figures: Figures = {}
    for n, kept in rows.items():
        figures |= summarise_rows(kept, f"growth.g{n}.")
    return {
        **figures,
        "prompt_growth": divide(prompt[most], prompt[least]),
        "update_growth": divide(learn[most], linear),
        "growth_peak_gib": summarise([measure_peak_gib()]),
    }
