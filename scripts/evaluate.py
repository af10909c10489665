"""Measures a policy on held-out scenes.

`python scripts/evaluate.py env=pick_mug policy=tiny n=200 out=rows.json` prints the
paper's table plus success, with 95 % intervals. env=all takes every scene; policy= also
takes expert, null, random and wrong_target, a directory or a hub id.
`policy=[tiny,runs/x/final]` answers the same scenes with each and says what the others
gain over the first, scene by scene; `rows.pairs.json` has that.
`suite=assets/suite.json` takes the scenes of the frozen suite, all unless n= is typed,
and checks them.
`scorer=all` scores the same answers by Graspo's rules, the paper's and FlagEvalMM's,
with printed figures beside them; with env=offline scorer=graspo is the default.
`words=true` asks each scene for another of its candidates and tells which one it got.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from launching.choices import BASELINES, OFFLINE, spell_command
from launching.launch import launch
from launching.policies import choose_answerer, list_policies
from launching.settings import build, list_overrides
from launching.sources import list_envs, read_camera, read_source
from omegaconf import DictConfig, OmegaConf


def main(config: DictConfig) -> None:
    """Evaluates each policy on each scene, prints tables and writes the rows."""
    from policy.rollout.config import RolloutConfig
    from policy.rollout.workers import Workers
    from policy.training.progress import Screen

    screen, rollout = Screen(quiet=config.quiet), build(RolloutConfig, config.rollout)
    policies, tokens = list_policies(config), rollout.max_new_tokens
    list_scorers(config)
    rows: list[list[dict[str, Any]]] = []
    solved: list[tuple[str, dict[str, Any]]] = []
    with Workers.of(rollout) as workers:
        for name, node in policies:
            # Nameless here, a model is gone before the next one is loaded.
            found, hits = examine(
                config, name, choose_answerer(node, tokens), workers, screen
            )
            rows.append(found)
            solved.append((name, hits))
    every = [row for found in rows for row in found]
    show_figures(config, rows, screen)
    show_scores(every, screen)
    for one in workers.aside:
        screen.say(f"warning: {one}")
    pairs = compare(config, solved, screen)
    if config.out:
        numbers = sorted({str(node.get("dtype")) for _, node in policies})
        write(Path(config.out), every, pairs)
        describe(Path(config.out), ", ".join(numbers), config.suite)


def check(config: DictConfig) -> None:
    """Refuses scenes that cannot be asked for, and rows that cannot be written."""
    from launching.checks import check_file

    from envs.records import Plan
    from policy.home import find

    if config.words and config.answer != Plan.kind:
        raise ValueError(f"words=true with answer={config.answer}: use answer=plan")
    if config.words and OFFLINE in list_envs(config):
        raise ValueError(f"words=true: images of env={OFFLINE} have one candidate each")
    if config.words and (config.max_turns != 1 or config.scorer):
        key = "scorer" if config.scorer else "max_turns"
        raise ValueError(f"words=true with {key}={config[key]}: one question a scene")
    if config.suite and config.seed:
        raise ValueError(f"seed={config.seed} with suite=: a suite has its own scenes")
    if config.suite and not find(config.suite).is_file():
        raise FileNotFoundError(f"suite={config.suite}: there is no such file")
    for env in list_envs(config):
        read_exam(config, read_source(config, env))
    if config.out:
        check_file(Path(str(config.out)))  # whatever its ending


def examine(
    config: DictConfig, name: str, answerer: Any, workers: Any, screen: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Returns the rows of a policy, one a kind of scene, and what it solved."""
    measure = measure_words if config.words else partial(measure_figures, config)
    rows, solved = [], {}
    for env in list_envs(config):
        exam = read_exam(config, read_source(config, env))
        with screen.task(f"{name}: {env}", len(exam.list_seeds())) as bar:
            show = partial(screen.move, bar)
            figures, hits = measure(exam, answerer, workers, show)
        rows.append(_describe(config, env, name) | figures)
        solved |= hits
    return rows, solved


def show_figures(
    config: DictConfig, rows: Sequence[Sequence[dict[str, Any]]], screen: Any
) -> None:
    """Shows what came of it, in one table or in one a policy.

    Figures of annotated images are in the tables of their scorers.
    """
    from policy.evaluation.table import FEW, tabulate, tabulate_words

    rows = [[row for row in found if row["env"] != OFFLINE] for found in rows]
    every = [row for found in rows for row in found]
    for shown in rows if config.words or len(every) > FEW else [every]:
        if shown:
            screen.say((tabulate_words if config.words else tabulate)(shown))


def show_scores(rows: Sequence[dict[str, Any]], screen: Any) -> None:
    """Shows the paper's table of each row that has scores, and what papers print."""
    from policy.evaluation.score_table import tabulate_printed, tabulate_scores

    own = []
    for row in rows:
        scores = row.get("scores") or {}
        what = f"{row['policy']}, {row['env']}"
        if scores:
            screen.say(tabulate_scores(scores, what, row["failures"]))
        own += [(f"{what}, {name}", figures) for name, figures in scores.items()]
    if own:
        screen.say(tabulate_printed(own))


def list_scorers(config: DictConfig, env: str = "") -> tuple[str, ...]:
    """Returns the scorers that `scorer=` names; of scenes none unless it names one."""
    from envs.randomization.factors import check_choice
    from policy.evaluation.scorers import SCORERS

    usual = "graspo" if env == OFFLINE else None
    name = config.scorer or usual
    if name is None:
        return ()
    check_choice("scorer", name, (*SCORERS, "all"))
    return tuple(SCORERS) if name == "all" else (name,)


def compare(
    config: DictConfig, solved: Sequence[tuple[str, dict[str, Any]]], screen: Any
) -> list[dict[str, Any]]:
    """Shows what each policy gains over the first; returns rows by scene and in all."""
    from policy.evaluation.pairs import compare_solved
    from policy.evaluation.table import tabulate_pairs

    (first, before), *others = solved
    whole, rows = name_scenes(config), []
    for name, after in others:
        found = {key: p.to_row() for key, p in compare_solved(before, after).items()}
        if found:
            what = f"{name} beside {first}"
            screen.say(tabulate_pairs(found, what, whole))
        for key, row in found.items():
            env = key.partition("/")[2] or whole
            where = {"env": env, "split": config.split}
            rows.append(where | {"policy": name, "beside": first} | row)
    return rows


def name_scenes(config: DictConfig) -> str:
    """Returns what all scenes are of together: their kind if there is but one."""
    kinds = {*list_envs(config)} - {OFFLINE}
    return kinds.pop() if len(kinds) == 1 else config.env.name


def write(path: Path, rows: Any, pairs: Any) -> None:
    """Writes rows as JSON, and beside them the comparisons if there are any."""
    from policy.runtime.whole import replace_text

    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json.dumps(rows, indent=2) + "\n")
    if pairs:
        beside = path.with_suffix(".pairs.json")
        replace_text(beside, json.dumps(pairs, indent=2) + "\n")


def describe(path: Path, numbers: str, suite: str | None) -> None:
    """Writes beside the rows how they were made."""
    from policy.runtime.manifest import make_manifest, write_beside

    write_beside(path, make_manifest(spell_command(), numbers, suite))


def measure_figures(
    config: DictConfig, exam: Any, answerer: Any, workers: Any, show: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the paper's figures and success on the scenes of an exam."""
    from policy.evaluation.evaluate import evaluate
    from policy.evaluation.scoreboard import Scoreboard
    from policy.rollout.play import Referee

    board = Scoreboard(config.answer, list_scorers(config, exam.source.name))
    referee = Referee(workers=workers)
    evaluation, _ = evaluate(
        answerer, exam, referee, progress=show, on_episode=board.add
    )
    scores = {"scores": board.to_row()} if board.names else {}
    return evaluation.to_row() | scores, evaluation.solved


def measure_words(
    exam: Any, answerer: Any, workers: Any, show: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns whether the policy follows the words on the scenes of an exam."""
    from policy.evaluation.language import measure_obedience

    return measure_obedience(answerer, exam, workers, show).to_row(), {}


def read_exam(config: DictConfig, source: Any) -> Any:
    """Returns what the policy is asked."""
    from policy.evaluation.evaluate import Exam

    return Exam(
        source=source,
        n=count_scenes(config, source),
        seed=config.seed,
        max_turns=config.max_turns,
        suite=open_suite(config.suite) if config.suite else None,
    )


def count_scenes(config: DictConfig, source: Any) -> int:
    """Returns how many scenes are asked: all that a suite has, unless n= is typed."""
    if not config.suite or "n" in list_overrides():
        return config.n
    source.check_frozen()
    return len(open_suite(config.suite).list_seeds(source.name, source.split))


@lru_cache(maxsize=1)
def open_suite(path: str) -> Any:
    """Reads a suite, once for all kinds of scenes."""
    from envs.sampling.suite import load_suite
    from policy.home import find

    return load_suite(find(path))


def _describe(config: DictConfig, env: str, policy: str) -> dict[str, Any]:
    """What the figures are of."""
    return {
        "env": env,
        "policy": policy,
        "split": config.split,
        "shifts": list(config.shifts),
        "camera": read_camera(config),
        "robot": config.robot,
        "look": config.look,
        "varied": config.varied,
        "without": list(config.without),
        "knowledge": config.knowledge,
        "data": _describe_data(config) if env == OFFLINE else None,
        "seed": config.seed,
        "waypoints": config.waypoints,
        "answer": config.answer,
        "max_turns": config.max_turns,
        "suite": config.suite,
    }


def _describe_data(config: DictConfig) -> dict[str, Any]:
    """Which annotated images."""
    return OmegaConf.to_container(config.data)  # type: ignore[return-value]


if __name__ == "__main__":
    launch(
        "evaluate", main, policies=BASELINES, all_envs=True, compares=True, check=check
    )
