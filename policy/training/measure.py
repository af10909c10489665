"""The evaluations before and after a training, on held-out scenes."""

from __future__ import annotations

from typing import Any

from envs.video.film import write_rollout_videos
from policy.evaluation.evaluate import Exam, evaluate
from policy.evaluation.pairs import compare_solved, list_solved
from policy.model.vlm import VLM
from policy.rollout.collect import answer_greedily
from policy.rollout.play import Referee
from policy.runtime.memory import give_back
from policy.training.run_dir import RunDir
from policy.training.site import Site


def compare(run: RunDir) -> dict[str, Any]:
    """Returns what training gained, scene by scene, if anything was executed."""
    rows = (run.read_evaluation(name) for name in ("before", "after"))
    found = compare_solved(*map(list_solved, rows))
    return {name: pairs.to_row() for name, pairs in found.items()}


def measure_once(vlm: VLM, site: Site) -> dict[str, Any]:
    """Measures the policy before training, unless the run has done so.

    What that puts aside is of step 0; what the scenes of the next step have put aside
    already stays that step's.
    """
    before = site.run.read_json("before.json")
    if before is None:
        earlier = len(site.workers.aside)
        before = measure(vlm, site, "before")
        site.run.history.add_aside(0, site.list_own_aside(earlier))
        site.run.write_json("before.json", before)
        site.report(site.workers)
    site.run.read_evaluation("before")  # needed in the end: damage is found now
    return before


def measure(vlm: VLM, site: Site, name: str) -> dict[str, Any]:
    """Measures the policy on held-out scenes and films its first rollouts."""
    job, screen = site.job, site.screen
    if not job.n:
        return {"n": 0}
    # Held-out seeds of their own: the same scenes whatever the run's seed, so that
    # runs can be compared, and `scripts/evaluate.py` repeats the figures.
    known = site.run.read_evaluation("before")  # scenes that need not be tried again
    draws = {r["seed"]: r["scene"]["draw"] for r in known if "draw" in r["scene"]}
    source = job.source.held_out(draws)
    exam = Exam(source=source, n=job.n, max_turns=job.rollout.max_turns)
    log = site.run.open_evaluation(name)

    def show(done: int) -> None:
        screen.move(bar, done)
        site.stop.check()

    give_back()  # before the films, which come on top of what training has left
    with screen.task(f"evaluating {name}", len(exam.list_seeds())) as bar:
        evaluation, rollouts = evaluate(
            answer_greedily(vlm, job.rollout.max_new_tokens),
            exam,
            Referee(workers=site.workers, mix=job.mix, picture_mix=job.picture_mix),
            keep=job.videos,
            progress=show,
            on_episode=log.add,
        )
        log.save()
        if rollouts:
            write_rollout_videos(rollouts, site.run.video(name))
    return {"split": source.split} | evaluation.to_row()
