"""Films a policy: `python scripts/record.py env=pick_mug policy=tiny n=8 out=it.mp4`.

Box, path, text, outcome and reward are drawn in. `env=all` takes n of every scene, and
an `out=` that ends in .png or .jpg becomes a contact sheet instead of a film; one in
.gif or .webp a small film for issues and slides.
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

FILMS, PICTURES = (".mp4", ".gif", ".webp"), (".png", ".jpg")


def main(config: DictConfig) -> None:
    """Answers n scenes of each kind and shows what came of it."""
    from envs.randomization.factors import check_choice
    from envs.registry import has_expert
    from envs.video.film import write_rollout_videos
    from envs.video.sheet import write_sheet
    from policy.evaluation.evaluate import Exam, evaluate
    from policy.rollout.config import RolloutConfig
    from policy.rollout.play import Referee
    from policy.rollout.workers import Workers
    from policy.training.progress import Screen
    from rewards import RewardMix

    name = Path(name_policy(config.policy)).name
    out = Path(config.out or f"videos/{config.env.name}_{name}.mp4")
    check_choice("ending of out=", out.suffix, (*FILMS, *PICTURES))
    rollout = build(RolloutConfig, config.rollout)
    mix = build(RewardMix, config.reward)
    answerer = choose_answerer(config.policy, rollout.max_new_tokens)
    rollouts = []
    with Workers.of(rollout) as workers:
        for env in list_envs(config):
            exam = Exam(
                source=read_source(config, env),
                n=config.n,
                seed=config.seed,
                max_turns=config.max_turns,
            )
            fitting = mix if has_expert(env) else mix.without_reference()
            referee = Referee(workers=workers, mix=fitting)
            _, kept = evaluate(answerer, exam, referee, keep=config.n)
            rollouts += [r for r in kept if not (config.failed and r.succeeded)]
    if not rollouts:
        raise ValueError(f"failed=true, but nothing failed: try more than n={config.n}")
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix in PICTURES:
        write_sheet(rollouts, out)
    else:
        write_rollout_videos(rollouts, out)
    Screen(quiet=config.quiet).say(f"{len(rollouts)} rollouts: {out}")


if __name__ == "__main__":
    launch("record", main, policies=BASELINES, all_envs=True)
