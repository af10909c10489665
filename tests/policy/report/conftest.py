"""A run of real answers to a few scenes, made once for all tests of reports."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import envs
from envs.records import Completion
from envs.rollout import Rollout
from envs.sampling.turns import follow_up
from policy.evaluation.evaluate import Exam, evaluate
from policy.evaluation.figures import Evaluation
from policy.rollout.log import EvaluationLog, read_rows
from policy.rollout.play import Referee, answer_scripted
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from rewards import TERMS, RewardMix

HOSTILE = (
    """</script><script>document.title = "hacked"</script> "quoted" & '\u202efdp"""
)
SOURCE = SceneSource(names=("pick_mug", "press_button"), split="ood")
SCENES = 12


def answer_before(scene: envs.Scene) -> str:
    """Some scenes as the expert would; the rest beside it, or in hostile words."""
    assert scene.reference is not None
    plan, kind = scene.reference.to_plan(), scene.seed // 2 % 3
    if kind == 0:
        return HOSTILE
    return envs.format_answer(plan if kind == 1 else plan.move(-0.2, 0.1))


def answer_after(scene: envs.Scene) -> str:
    """Other scenes as the expert would, and some as before."""
    assert scene.reference is not None
    plan, kind = scene.reference.to_plan(), scene.seed // 2 % 3
    if kind == 0 and scene.seed // 6 % 2:
        return HOSTILE
    worse = kind == 1 and scene.seed // 6 % 2
    return envs.format_answer(plan.move(-0.2, 0.1) if worse else plan)


def measure(folder: Path, name: str, answer: Any) -> Evaluation:
    """Answers the scenes and leaves what training leaves of it."""
    log = EvaluationLog(folder / "evaluations", name)
    with Workers(0) as workers:
        referee = Referee(workers=workers, mix=RewardMix(weights={"success": 1.0}))
        exam = Exam(source=SOURCE, n=SCENES)
        found, _ = evaluate(answer_scripted(answer), exam, referee, on_episode=log.add)
    log.save()
    return found


def make_metrics(steps: int) -> list[dict[str, Any]]:
    """Metrics as training writes them."""
    stages = ("scenes", "sample", "simulate", "judge", "compare", "update", "step")
    return [
        {
            "step": step,
            "reward": 0.5 + step / 100,
            **dict.fromkeys(TERMS, 0.6),
            **{"parse_rate": 1.0, "cut_off": 0.0, "tokens": 20.0, "surprise": 1.2},
            **{"filtered": 0.0, "kl": 0.0, "loss": 0.01, "clip_fraction": 0.0},
            **{"grad_norm": None if step == 2 else 0.1, "skipped": 0},
            "timing": {f"{stage}_s": 0.5 for stage in stages}
            | {"peak_gib": 1.0, "elapsed_s": 4.0 * step},
        }
        for step in range(1, steps + 1)
    ]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run of 100 steps on two kinds of scenes."""
    path = tmp_path_factory.mktemp("runs") / "both" / "first"
    path.mkdir(parents=True)
    figures = {
        name: {"split": "ood"} | measure(path, name, answer).to_row()
        for name, answer in (("before", answer_before), ("after", answer_after))
    }
    config = {"env": {"name": "all", "only": [*SOURCE.names]}, "steps": 100, "seed": 0}
    (path / "config.yaml").write_text(yaml.safe_dump(config | {"split": "ood"}))
    lines = (json.dumps(row) + "\n" for row in make_metrics(100))
    (path / "metrics.jsonl").write_text("".join(lines))
    (path / "before.json").write_text(json.dumps(figures["before"]))
    summary = {"steps": 100, "seconds": 431.0, "seed": 0} | figures
    (path / "summary.json").write_text(json.dumps(summary))
    (path / "manifest.json").write_text(json.dumps({"commit": "abc", "note": HOSTILE}))
    return path


@pytest.fixture(scope="session")
def played(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, where somebody has tried a scene twice in the playground."""
    path = tmp_path_factory.mktemp("played") / "both" / "first"
    shutil.copytree(finished, path)
    rows = read_rows(path / "evaluations" / "before.jsonl")
    plans = [row for row in rows if row["env"] == "press_button" and row["box"]]
    scene = plans[0]["scene"] | {"seed": 7}
    own = {"scene": scene, "seed": 7, "instruction": "tried by hand", "policy": "hand"}
    text = "".join(
        json.dumps(next(row for row in plans if row["success"] is done) | own) + "\n"
        for done in (False, True)
    )
    (path / "evaluations" / "played.jsonl").write_text(text)
    return path


@pytest.fixture(scope="session")
def hostile() -> str:
    """A text that would take the page over if it were not escaped."""
    return HOSTILE


@pytest.fixture(scope="session")
def episode() -> list[Rollout]:
    """Two turns at one scene: beside the mug, then as the expert would."""
    scene = envs.make_scene("pick_mug", split="test", seed=1)
    assert scene.reference is not None
    first = scene.reference.to_plan().move(-0.2, 0.1)
    second = follow_up(scene, first)
    assert second.reference is not None
    return [
        _play(scene, first),
        _play(second, replace(second.reference.to_plan(), thought="again")),
    ]


def _play(scene: Any, plan: Any) -> Rollout:
    said = Completion(text=envs.format_answer(plan))
    outcome = envs.simulate(scene, [plan])[0]
    return Rollout(scene=scene, completion=said, answer=plan, outcome=outcome)
