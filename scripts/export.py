"""Writes executed answers, or scenes with the expert's answers, as a data set.

`python scripts/export.py env=pick_mug policy=expert n=50 format=lerobot out=mugs`
writes episodes, the other formats write images with box and path. `run_dir=<run>` takes
a run's answers instead of a policy's, `only=success` leaves out failures. See
conf/export.yaml for the keys.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _choices import BASELINES
from _launch import (
    build,
    choose_answerer,
    launch,
    list_envs,
    read_source,
)
from omegaconf import DictConfig

if TYPE_CHECKING:
    from policy.export.takes import Take
    from policy.rollout.workers import Workers

EPISODES = "lerobot"
NEED_PYARROW = (EPISODES, "vabench")


def main(config: DictConfig) -> None:
    """Writes the set, whole or not at all."""
    from policy.runtime.whole import write_whole

    try:
        write_whole(Path(config.out), partial(write_set, config))
    except KeyboardInterrupt:
        sys.exit("stopped: nothing was written")


def check(config: DictConfig) -> None:
    """Raises an error where something is asked that cannot be."""
    from envs.randomization.factors import check_choice
    from policy.data.sets import FORMATS

    check_choice("format", config.format, (EPISODES, *FORMATS))
    if config.only is not None:
        check_choice("only", config.only, ("success",))
    if config.format in NEED_PYARROW and importlib.util.find_spec("pyarrow") is None:
        raise ValueError(
            f"format={config.format} needs pyarrow: pip install 'graspo[export]'"
        )
    if config.n < 1:
        raise ValueError(f"n is {config.n}; at least 1 scene needed")
    if Path(config.out).exists():
        raise FileExistsError(f"out={config.out} exists; choose another or remove it")


def write_set(config: DictConfig, folder: Path) -> None:
    """Writes the answers that are wanted into a folder."""
    from policy.rollout.config import RolloutConfig
    from policy.rollout.workers import Workers
    from policy.training.progress import Screen

    screen, left_out = Screen(), Counter[str]()
    write = write_episodes if config.format == EPISODES else write_annotations
    with (
        Workers.of(build(RolloutConfig, config.rollout)) as workers,
        screen.task(f"exporting {config.format}", count_takes(config)) as bar,
    ):
        found = prepare(config, workers)
        count = write(config, sift(found, left_out, partial(screen.move, bar)), folder)
    for reason, times in left_out.most_common():
        screen.say(f"left out: {times} {reason}")
    if not count:
        raise ValueError("nothing to write: no answer is left")
    screen.say(
        f"{count} {'episodes' if config.format == EPISODES else 'items'}: {config.out}"
    )


def prepare(config: DictConfig, workers: Workers) -> Iterator[Any]:
    """Yields an episode or a sample of each answer, or why there is none."""
    from policy.export.annotate import annotate_take
    from policy.export.episode import record_take
    from rewards import RewardMix

    takes, success = list_takes(config, workers), config.only == "success"
    if config.format == EPISODES:
        mix = build(RewardMix, config.reward)
        work = partial(record_take, mix=mix, only_success=success)
        return workers.stream(work, takes)
    expert = config.policy.path == "expert" and not config.run_dir
    work = partial(annotate_take, expert=expert, executed=success)
    return workers.stream(work, takes)


def sift(found: Iterable[Any], left_out: Counter[str], show: Any) -> Iterator[Any]:
    """Yields what there is to write, counts what there is not, and shows progress."""
    for done, one in enumerate(found, start=1):
        if isinstance(one, str):
            left_out[one] += 1
        else:
            yield one
        show(done)


def write_episodes(config: DictConfig, episodes: Iterator[Any], folder: Path) -> int:
    """Writes a LeRobot data set; returns the number of its episodes."""
    from policy.export.lerobot.writer import LeRobotWriter

    with LeRobotWriter(folder, config.lossless) as writer:
        for episode in episodes:
            writer.add(episode)
        return writer.finish(" ".join(["python", *sys.argv]))


def write_annotations(config: DictConfig, samples: Iterator[Any], folder: Path) -> int:
    """Writes images with annotations; returns their number."""
    from policy.data.sets import FORMATS

    return FORMATS[config.format].write(samples, folder)


def count_takes(config: DictConfig) -> int:
    """Returns how many answers are looked at, at most."""
    return config.n if config.run_dir else config.n * len(list_envs(config))


def list_takes(config: DictConfig, workers: Workers) -> Iterator[Take]:
    """Yields the answers: n of a run, or a policy's to n scenes of each kind."""
    from policy.export.takes import answer_scenes, find_log, read_takes
    from policy.rollout.scene_source import choose_seeds

    if config.run_dir:
        path = find_log(Path(config.run_dir), config.log)
        takes = read_takes(path, only_success=config.only == "success")
        yield from islice(takes, config.n)
        return
    answerer = choose_answerer(config.policy, config.rollout.max_new_tokens)
    seeds = choose_seeds(config.n, config.seed)
    for env in list_envs(config):
        yield from answer_scenes(answerer, read_source(config, env), seeds, workers)


if __name__ == "__main__":
    launch("export", main, policies=BASELINES, all_envs=True, check=check)
