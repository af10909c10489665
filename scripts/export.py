"""Writes executed answers, scenes with the expert's answers, or prompts, as a data set.

`python scripts/export.py env=pick_mug policy=expert n=50 format=lerobot out=mugs`
writes episodes, `format=trl` and `verl` what these trainers ask a policy (policy=
names it), the other formats images with box and path. `run_dir=<run>` takes a run's
answers instead of a policy's, `only=success` leaves out failures. See conf/export.yaml
for the keys.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launching.choices import BASELINES, spell_command
from launching.idle import EPISODES, PROMPTS
from launching.launch import launch
from launching.policies import choose_answerer
from launching.settings import build
from launching.sources import list_envs, read_source
from omegaconf import DictConfig

if TYPE_CHECKING:
    from policy.export.takes import Take
    from policy.rollout.workers import Workers
    from policy.training.progress import Screen

NEED_PYARROW = (EPISODES, "vabench", *PROMPTS)


def main(config: DictConfig) -> None:
    """Writes the set, whole or not at all."""
    from policy.runtime.whole import write_whole

    try:
        write_whole(Path(config.out), partial(write_set, config))
    except KeyboardInterrupt:
        sys.exit("stopped: nothing was written")


def check(config: DictConfig) -> None:
    """Raises an error where something is asked that cannot be."""
    from launching.checks import check_free

    from envs.randomization.factors import check_choice
    from envs.records import Plan
    from policy.data.sets import FORMATS

    check_choice("format", config.format, (EPISODES, *FORMATS, *PROMPTS))
    if config.only is not None:
        check_choice("only", config.only, ("success",))
    if config.format in NEED_PYARROW and importlib.util.find_spec("pyarrow") is None:
        raise ValueError(
            f"format={config.format} needs pyarrow: pip install 'graspo[export]'"
        )
    if config.format in PROMPTS:
        check_prompts(config)
    elif config.answer != Plan.kind:
        raise ValueError(
            f"answer={config.answer}: format={config.format} needs whole plans; "
            f"prompts for a part are format={' or '.join(PROMPTS)}"
        )
    check_free("out", Path(config.out))


def check_prompts(config: DictConfig) -> None:
    """Refuses what is for answers, where nothing is answered."""
    for key in ("run_dir", "only"):
        if config[key] is not None:
            raise ValueError(
                f"{key}={config[key]}: format={config.format} writes prompts, which "
                "have no answers yet"
            )
    if config.policy.path in BASELINES and config.policy.path != "expert":
        raise ValueError(
            f"policy={config.policy.path} is not asked; for format={config.format} "
            "name the policy that will be trained, or leave policy=expert for the "
            "paper's words and coordinates of 0..1000"
        )


def write_set(config: DictConfig, folder: Path) -> None:
    """Writes what is wanted into a folder."""
    from policy.rollout.config import RolloutConfig
    from policy.rollout.workers import Workers
    from policy.training.progress import Screen

    screen, left_out = Screen(quiet=config.quiet), Counter[str]()
    write = choose_writer(config.format)
    with (
        Workers.of(build(RolloutConfig, config.rollout)) as workers,
        screen.task(f"exporting {config.format}", count_takes(config)) as bar,
    ):
        if config.run_dir:
            warn(config, screen)
        found = prepare(config, workers, left_out)
        count = write(config, sift(found, left_out, partial(screen.move, bar)), folder)
    for one in workers.aside:
        screen.say(f"warning: {one}")
    for reason, times in left_out.most_common():
        screen.say(f"left out: {times} {reason}")
    if not count:
        raise ValueError("nothing to write: no answer is left")
    what = "episodes" if config.format == EPISODES else "items"
    what = "prompts" if config.format in PROMPTS else what
    screen.say(f"{count} {what}: {config.out}")


def warn(config: DictConfig, screen: Screen) -> None:
    """Says so where the answers are those to a run's held-out scenes."""
    from policy.export.takes import find_log, is_held_out

    path = find_log(Path(config.run_dir), config.log)
    if is_held_out(path):
        screen.say(
            f"warning: {path}: held-out scenes, which evaluate.py measures again: "
            "do not train on them"
        )


def prepare(
    config: DictConfig, workers: Workers, left_out: Counter[str]
) -> Iterator[Any]:
    """Yields what there is of each answer, or why there is nothing; or prompts."""
    from policy.export.annotate import annotate_take
    from policy.export.episode import record_take
    from rewards import RewardMix

    if config.format in PROMPTS:
        return list_prompts(config, workers)
    success = config.only == "success"
    if config.run_dir:
        takes = list_own(config, left_out)
    else:
        takes = list_takes(config, workers)
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


def choose_writer(name: str) -> Callable[..., int]:
    """Returns what writes a format."""
    if name in PROMPTS:
        return write_prompts
    return write_episodes if name == EPISODES else write_annotations


def write_prompts(config: DictConfig, rows: Iterator[Any], folder: Path) -> int:
    """Writes a table of prompts; returns their number."""
    from policy.export.prompts import write

    return write(rows, folder / "prompts.parquet", config.format)


def write_episodes(config: DictConfig, episodes: Iterator[Any], folder: Path) -> int:
    """Writes a LeRobot data set; returns the number of its episodes."""
    from policy.export.lerobot.writer import LeRobotWriter

    with LeRobotWriter(folder, config.lossless) as writer:
        for episode in episodes:
            writer.add(episode)
        return writer.finish(spell_command())


def write_annotations(config: DictConfig, samples: Iterator[Any], folder: Path) -> int:
    """Writes images with annotations; returns their number."""
    from policy.data.sets import FORMATS

    return FORMATS[config.format].write(samples, folder)


def list_prompts(config: DictConfig, workers: Workers) -> Iterator[dict[str, Any]]:
    """Yields n scenes of each kind, put as the policy is asked."""
    from policy.evaluation.evaluate import split_batches
    from policy.export.prompts import describe
    from policy.model.prompt import build_prompt
    from policy.rollout.scene_source import choose_seeds

    style, find_codec = read_manner(config.policy)
    seeds = choose_seeds(config.n, config.seed)
    for env in list_envs(config):
        source = read_source(config, env)
        for scenes in workers.make_scenes(source, split_batches(seeds)):
            for scene in scenes:
                codec = find_codec(build_prompt(scene.observation))
                yield describe(scene, config.format, style, codec)


def read_manner(node: DictConfig) -> tuple[str, Callable[[Any], Any]]:
    """Returns in which style a policy is asked, and what finds its coordinates."""
    from envs.answer import NORMALIZED

    if node.path in BASELINES:
        return "paper", lambda prompt: NORMALIZED
    from policy.model.loading import load_processor

    processor = load_processor(node.path, coordinates=node.coordinates)
    return processor.settings.prompt_style, processor.codec


def count_takes(config: DictConfig) -> int:
    """Returns how many answers are looked at, at most."""
    return config.n if config.run_dir else config.n * len(list_envs(config))


def list_own(config: DictConfig, left_out: Counter[str]) -> Iterator[Take]:
    """Yields the first n answers of a run, and counts the others."""
    from policy.export.takes import find_log, read_takes

    path = find_log(Path(config.run_dir), config.log)
    takes = read_takes(path, only_success=config.only == "success")
    yield from islice(takes, config.n)
    if others := sum(1 for _ in takes):
        left_out[f"beyond n={config.n}"] = others


def list_takes(config: DictConfig, workers: Workers) -> Iterator[Take]:
    """Yields a policy's answers to n scenes of each kind."""
    from policy.export.takes import answer_scenes
    from policy.rollout.scene_source import choose_seeds

    answerer = choose_answerer(config.policy, config.rollout.max_new_tokens)
    seeds = choose_seeds(config.n, config.seed)
    for env in list_envs(config):
        yield from answer_scenes(answerer, read_source(config, env), seeds, workers)


if __name__ == "__main__":
    launch("export", main, policies=BASELINES, all_envs=True, check=check)
