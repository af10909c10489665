"""Films a policy: `python scripts/record.py env=pick_mug policy=tiny n=8 out=it.mp4`.

Box, path, text, outcome and reward are drawn in.
"""

from __future__ import annotations

from pathlib import Path

from _launch import BASELINES, build, choose_answerer, launch, name_policy, read_source
from omegaconf import DictConfig


def main(config: DictConfig) -> None:
    """Answers n scenes and films them."""
    from envs.video import write_rollout_videos
    from policy.evaluate import evaluate
    from policy.progress import Screen
    from policy.workers import Workers

    screen = Screen()
    rollout, mix = build(config.rollout), build(config.reward)
    answerer = choose_answerer(config.policy, rollout.max_new_tokens)
    with Workers(rollout.workers) as workers:
        _, attempts = evaluate(
            answerer,
            read_source(config),
            workers,
            n=config.n,
            seed=config.seed,
            keep=config.n,
            mix=mix,
            max_turns=config.max_turns,
        )
    name = Path(name_policy(config.policy)).name
    out = Path(config.out or f"videos/{config.env.name}_{name}.mp4")
    out.parent.mkdir(parents=True, exist_ok=True)
    films = [(a.scene, a.text, a.answer, a.outcome, a.reward) for a in attempts]
    write_rollout_videos(films, out)
    screen.say(f"{len(films)} attempts: {out}")


if __name__ == "__main__":
    launch("record", main, policies=BASELINES)
