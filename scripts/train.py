"""Trains a policy: `python scripts/train.py env=pick_mug`.

`env=all` trains it on every scene but those in `env.without=[...]`. Writes
runs/<env>/<time>/; `resume=<run directory>` goes on with a run that stopped. See
conf/train.yaml for the keys and --help for the choices.
"""

from __future__ import annotations

import sys
import threading
from contextlib import closing
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from launching.choices import number_job, spell_command
from launching.launch import launch
from launching.policies import load_policy
from launching.rewards import choose_picture_mix, fit_reward
from launching.settings import build, list_overrides
from launching.sources import complete, list_envs, read_source
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from policy.model.vlm import VLM
    from policy.rollout.workers import Workers
    from policy.runtime.distributed import Team
    from policy.training.job import Job
    from policy.training.precision import Precision
    from policy.training.progress import Screen
    from policy.training.run_dir import RunDir

ADDRESS = "rollout.address"
RESUMED = ("steps", "quiet", ADDRESS)  # what a run that goes on may change


def main(config: DictConfig) -> None:
    """Starts a run, or goes on with one; wrong names are found before slow work."""
    from launching.checks import check_numbers

    from policy.runtime.distributed import join_team
    from policy.training.boards import check_boards
    from policy.training.precision import choose_precision, keep_precision
    from policy.training.progress import Screen
    from policy.training.run_dir import RunDir

    stopped = RunDir(Path(config.resume)) if config.resume else None
    if stopped is not None:
        config = read_config(stopped.path, config)
    check_boards(config.log)
    fit_reward(config)
    wanted = config.algo.bf16
    check_numbers("algo.bf16", wanted)
    config.algo.bf16 = wanted is True
    job = build_job(config)
    with join_team() as team, closing(open_run(config, stopped, team)) as run:
        screen = Screen(quiet=config.quiet or not team.leads)
        if stopped is not None and team.leads:
            check_unfinished(stopped, config.steps, screen)
        vlm = load_policy(config.policy, keep_reference=job.algo.beta > 0)
        precision = team.tell(
            choose_precision(vlm, job, wanted)
            if stopped is None
            else keep_precision(vlm, config.algo.bf16)
        )
        show_precision(precision, screen)
        config.algo.bf16 = precision.bf16
        if job.picture_mix is not None:
            screen.say(f"annotated images: reward={job.picture_mix.name}")
        if team.leads:
            record(run, config, stopped is not None, screen)
            job.source.list_broken(run.path / "broken_items.jsonl")
            run.open_boards(config.log, run.find_start(screen.say))
        execute(vlm, build_job(config), run, screen, team)


def check(config: DictConfig) -> None:
    """Refuses a job that cannot be."""
    from policy.training.boards import check_boards

    check_boards(config.log)
    if config.resume:
        read_config(Path(config.resume), config)
    else:
        fit_reward(config)
        config.algo.bf16, wanted = False, config.algo.bf16
        build_job(config)
        config.algo.bf16 = wanted


def open_run(config: DictConfig, stopped: RunDir | None, team: Team) -> RunDir:
    """Returns the directory to write to, which no other process writes to."""
    from policy.training.run_dir import RunDir

    if stopped is None:
        run = create_run(config) if team.leads else None
        path = team.tell(run.path if run else Path())
        return run or RunDir(path)
    if team.leads:
        stopped.take()
    return stopped


def create_run(config: DictConfig) -> RunDir:
    """Makes the directory of a new run; one that is named must be free."""
    from policy.training.run_dir import RunDir

    if config.run_dir:
        return RunDir.create(Path(config.run_dir))
    start = datetime.now().strftime("%Y-%m-%d_%H-%M-%S") + number_job()
    for place in count(1):
        name = start if place == 1 else f"{start}_{place}"
        try:
            return RunDir.create(Path("runs", config.env.name, name))
        except FileExistsError:
            continue
    raise AssertionError("there is always a next name")


def show_precision(precision: Precision, screen: Screen) -> None:
    """Says in which numbers the update multiplies, and why."""
    numbers = "bfloat16" if precision.bf16 else "float32"
    warning = "warning: " if precision.doubtful else ""
    screen.say(f"{warning}products in {numbers}: {precision.reason}")


def record(run: RunDir, config: DictConfig, resumed: bool, screen: Screen) -> None:
    """Writes what the run does and how; of a resumed one, what is not as it was."""
    from policy.runtime.manifest import NAME, compare_manifests, make_manifest

    numbers = "bfloat16" if config.algo.bf16 else "float32"
    old, new = run.read_json(NAME), make_manifest(spell_command(), numbers)
    if resumed:
        run.set_steps(config.steps)
    else:
        run.write_config(OmegaConf.to_yaml(config))
    if old is None:
        run.write_json(NAME, new)
        return
    if differing := compare_manifests(old, new):
        screen.say(f"warning: resumed under other conditions: {differing}")
    again = [*old.get("resumed", []), f"{new['date']} {differing}".rstrip()]
    run.write_json(NAME, old | {"resumed": again})


def check_unfinished(run: RunDir, steps: int, screen: Screen) -> None:
    """Raises a ValueError if a run has taken all its steps and left its policy."""
    from policy.runtime.whole import restore

    restore(run.path / "final")
    taken = run.find_start(screen.say)
    if steps < taken:
        raise ValueError(f"resume={run.path} steps={steps}: step {taken} is taken")
    done = run.read_json("summary.json")
    if done and done["steps"] >= steps and (run.path / "final").exists():
        raise ValueError(f"resume={run.path}: its {done['steps']} steps are done")


def execute(vlm: VLM, job: Job, run: RunDir, screen: Screen, team: Team) -> None:
    """Trains and says what came of it."""
    from launching.mistakes import explain_disk, refuse
    from safetensors import SafetensorError

    from policy.evaluation.table import tabulate, tabulate_pairs
    from policy.report.page import FILE
    from policy.rollout.crew import LostWork
    from policy.training.card import write_card
    from policy.training.stop import Stopped
    from policy.training.trainer import train

    screen.say(f"run directory: {run.path}")
    threading.excepthook = partial(tell, screen)
    try:
        summary = train(vlm, job, run, screen, team, partial(show, run, screen))
    except KeyboardInterrupt:
        screen.say(f"stopped; go on with resume={run.path}")
        sys.exit(130)
    except Stopped as stopped:
        screen.say(f"stopped by {stopped}; go on with resume={run.path}")
        sys.exit(128 + stopped.number)
    except (FloatingPointError, MemoryError) as error:
        sys.exit(f"error: {error}")
    except LostWork as error:
        refuse(f"{error}; go on with resume={run.path}", 1)
    except (OSError, SafetensorError) as error:
        refuse(explain_disk(error, run.path), 1)
    if team.leads:
        write_card(run.path)
    if job.n and team.leads:
        rows = [
            {"env": job.source.name, "policy": when} | summary[when]
            for when in ("before", "after")
        ]
        screen.say(tabulate(rows))
        if summary["paired"]:
            title = "after beside before"
            screen.say(tabulate_pairs(summary["paired"], title, job.source.name))
    screen.say(f"trained policy: {run.path / 'final'}")
    screen.say(f"report: {run.path / FILE}")


def tell(screen: Screen, failure: threading.ExceptHookArgs) -> None:
    """Says in one line what ended a thread, of a library's; the run finds out."""
    screen.say(f"warning: {failure.exc_type.__name__}: {failure.exc_value}")


def show(run: RunDir, screen: Screen, workers: Workers) -> None:
    """Writes the report; a training is worth more than its page."""
    from policy.report.page import write_report

    try:
        write_report(run.path, workers)
    except Exception as error:  # noqa: BLE001 whatever it is, the run goes on
        screen.say(f"warning: no report was written: {type(error).__name__}: {error}")


def build_job(config: DictConfig) -> Job:
    """Turns configuration into the trainer's dataclasses."""
    from policy.grpo.config import GRPOConfig
    from policy.rollout.config import RolloutConfig
    from policy.training.job import Job
    from rewards import RewardMix

    return Job(
        source=read_source(config, *list_envs(config)),
        mix=build(RewardMix, config.reward),
        picture_mix=choose_picture_mix(config),
        algo=build(GRPOConfig, config.algo),
        rollout=build(RolloutConfig, config.rollout),
        seed=config.seed,
        steps=config.steps,
        n=config.n,
        videos=config.videos,
        checkpoint_every=config.checkpoint_every,
        keep=config.keep,
    )


def read_config(run: Path, usual: DictConfig) -> DictConfig:
    """Returns the configuration of a run, of which only `RESUMED` may be changed.

    Args:
        run: The run's directory.
        usual: What the command line asks for, whose keys and kinds it must have.

    Raises:
        ValueError: It cannot be read, is another version's, or the command line changes
            anything else.
    """
    from launching.checks import check_resumed, check_version, read_stored

    file = run / "config.yaml"
    config = read_stored(file)
    if "max_turns" in config and isinstance(config.get("rollout"), DictConfig):
        config.rollout.setdefault("max_turns", config.max_turns)  # earlier versions
    config.setdefault("keep", 0)
    config.setdefault("log", ["tensorboard"])
    complete(config)
    config.quiet = False
    check_version(file, config, usual)
    check_resumed(run, RESUMED)
    for key in list_overrides().keys() & {*RESUMED}:
        OmegaConf.update(config, key, OmegaConf.select(usual, key))
    check_address(file, config.rollout.get("address"))
    return config


def check_address(file: Path, address: str | None) -> None:
    """Refuses to join a cluster that only a file names: its programs would run here."""
    if address not in (None, "auto") and ADDRESS not in list_overrides():
        raise ValueError(
            f"{file}: {ADDRESS} is {address}; a cluster runs code, so if it is yours "
            f"add {ADDRESS}={address}"
        )


if __name__ == "__main__":
    launch("train", main, all_envs=True, check=check)
