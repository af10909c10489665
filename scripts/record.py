"""Films a policy: `python scripts/record.py env=pick_mug policy=tiny n=8 out=it.mp4`.

Box, path, text, outcome and reward are drawn in. `env=all` takes n of every scene, and
an `out=` that ends in .png or .jpg becomes a contact sheet instead of a film.
`failed=true` leaves out what succeeded.
"""

from __future__ import annotations

from pathlib import Path

from _launch import (
    BASELINES,
    build,
    choose_answerer,
    launch,
    list_envs,
    name_policy,
    read_source,
)
from omegaconf import DictConfig

FILM, PICTURES = ".mp4", (".png", ".jpg")


def main(config: DictConfig) -> None:
    """Answers n scenes of each kind and shows what came of it."""
    from envs.randomization.factors import check_choice
    from envs.registry import has_expert
    from envs.video.film import write_rollout_videos
    from envs.video.sheet import write_sheet
    from policy.evaluation.evaluate import evaluate
    from policy.rollout.workers import Workers
    from policy.training.progress import Screen

    name = Path(name_policy(config.policy)).name
    out = Path(config.out or f"videos/{config.env.name}_{name}.mp4")
    check_choice("ending of out=", out.suffix, (FILM, *PICTURES))
    rollout, mix = build(config.rollout), build(config.reward)
    answerer = choose_answerer(config.policy, rollout.max_new_tokens)
    attempts = []
    with Workers(rollout.workers) as workers:
        for env in list_envs(config):
            _, kept = evaluate(
                answerer,
                read_source(config, env),
                workers,
                n=config.n,
                seed=config.seed,
                keep=config.n,
                mix=mix if has_expert(env) else mix.without_reference(),
                max_turns=config.max_turns,
            )
            attempts += [a for a in kept if not (config.failed and a.succeeded)]
    if not attempts:
        raise ValueError(f"failed=true, but nothing failed: try more than n={config.n}")
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix in PICTURES:
        write_sheet([(a.scene, a.answer) for a in attempts], out)
    else:
        films = [(a.scene, a.text, a.answer, a.outcome, a.reward) for a in attempts]
        write_rollout_videos(films, out)
    Screen().say(f"{len(attempts)} attempts: {out}")


if __name__ == "__main__":
    launch("record", main, policies=BASELINES, all_envs=True)
