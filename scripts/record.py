"""Films a policy: `python scripts/record.py env=pick_mug policy=tiny n=8 out=it.mp4`.

Box, path, text, outcome and reward are drawn in. `env=all` takes n of every scene, and
an `out=` that ends in .png or .jpg becomes a contact sheet instead of a film; one in
.gif or .webp a small film for issues and slides.
`failed=true` leaves out what succeeded. `run_dir=` shows the answers that a run, or the
playground, has written down, instead of asking anybody. Annotated images, of
`env=offline data.path=own`, stand still: annotation and answer are drawn into them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from launching.choices import BASELINES, OFFLINE
from launching.launch import launch
from launching.policies import choose_answerer, name_policy
from launching.rewards import load_reward
from launching.settings import build
from launching.sources import list_envs, read_source
from omegaconf import DictConfig

if TYPE_CHECKING:
    from rewards import RewardMix

FILMS, PICTURES = (".mp4", ".gif", ".webp"), (".png", ".jpg")


def main(config: DictConfig) -> None:
    """Shows what came of answers: of n scenes of each kind, or those of a run."""
    from envs.video.film import write_rollout_videos
    from envs.video.sheet import write_sheet
    from policy.training.progress import Screen

    out = choose_file(config)
    found = read_again(config) if config.run_dir else play(config)
    rollouts = [r for r in found if not (config.failed and r.succeeded)]
    if not rollouts:
        raise ValueError(f"failed=true, but nothing failed: try more than n={config.n}")
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix in PICTURES:
        write_sheet(rollouts, out)
    else:
        write_rollout_videos(rollouts, out)
    Screen(quiet=config.quiet).say(f"{len(rollouts)} rollouts: {out}")


def name_film(config: DictConfig) -> str:
    """Returns what a film is called where `out=` does not say."""
    if config.run_dir:
        return Path(config.run_dir).name
    return f"{config.env.name}_{Path(name_policy(config.policy)).name}"


def read_again(config: DictConfig) -> list[Any]:
    """Returns the rollouts of the first n episodes that a run has written down."""
    from policy.rollout.rebuild import read_episodes, rebuild

    episodes = read_episodes(Path(config.run_dir))[: config.n]
    return [rollout for rows in episodes for rollout in rebuild(rows)]


def play(config: DictConfig) -> list[Any]:
    """Answers n scenes of each kind; returns the rollouts."""
    from policy.evaluation.evaluate import evaluate
    from policy.rollout.config import RolloutConfig
    from policy.rollout.play import Referee
    from policy.rollout.workers import Workers

    rollout = build(RolloutConfig, config.rollout)
    answerer = choose_answerer(config.policy, rollout.max_new_tokens)
    rollouts = []
    with Workers.of(rollout) as workers:
        for env in list_envs(config):
            exam = read_exam(config, env)
            referee = Referee(workers=workers, mix=choose_mix(config, env))
            rollouts += evaluate(answerer, exam, referee, keep=config.n)[1]
    return rollouts


def choose_mix(config: DictConfig, env: str) -> RewardMix:
    """Returns what is rewarded: what the command names, as far as it can be given."""
    from envs.registry import has_expert
    from rewards import RewardMix

    mix = build(RewardMix, config.reward)
    if env == OFFLINE:
        return build(RewardMix, load_reward("paper")) if mix.needs_outcome else mix
    return mix if has_expert(env) else mix.without_reference()


def check(config: DictConfig) -> None:
    """Refuses scenes that cannot be asked for, and files that cannot be written."""
    from rewards import check_answer

    choose_file(config)
    for env in list_envs(config):
        check_answer(choose_mix(config, env), config.answer)
        read_exam(config, env)


def choose_file(config: DictConfig) -> Path:
    """Returns the file to write."""
    from envs.randomization.factors import check_choice

    out = Path(config.out or f"videos/{name_film(config)}.mp4")
    check_choice("ending of out=", out.suffix, (*FILMS, *PICTURES))
    return out


def read_exam(config: DictConfig, env: str) -> Any:
    """Returns what the policy is asked of a kind of scene."""
    from policy.evaluation.evaluate import Exam

    return Exam(
        source=read_source(config, env),
        n=config.n,
        seed=config.seed,
        max_turns=config.max_turns,
    )


if __name__ == "__main__":
    launch("record", main, policies=BASELINES, all_envs=True, check=check)
