"""The study: its runs are done once, and its page says what their rows say."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import hydra
import numpy as np
import pytest
from commands import ROOT, call
from rich.console import Console

import envs
from envs.objects.tools import KINDS
from envs.records import Completion, ParseFailure
from envs.registry import list_absent
from envs.rollout import Rollout
from envs.sampling.suite import load_suite
from policy.evaluation.evaluate import Exam
from policy.evaluation.statistics import Estimate
from policy.rollout.scene_source import SceneSource
from policy.rollout.workers import Workers
from policy.study import conduct as conducting
from policy.study.answers import collect_answers
from policy.study.contrasts import (
    Variant,
    compare_variants,
    estimate_success,
    keep_known,
    keep_scenes,
    read_variants,
)
from policy.study.ledger import Ledger
from policy.study.measure import join_digits, touches
from policy.study.of_carrying import tell_carrying
from policy.study.of_variants import tell_contrast
from policy.study.page import TELLERS, write_page
from policy.study.plan import BUDGETS, QUESTIONS, Contrast, Run, load_questions
from policy.study.prediction import compute_auc, cut_deciles, draw_scenes
from policy.study.tables import spell_gain
from policy.training.progress import Screen

ALL = load_questions()
QUIET = Screen(Console(quiet=True))


@pytest.mark.parametrize("question", ALL, ids=[q.name for q in ALL])
@pytest.mark.parametrize("budget", BUDGETS)
def test_a_question_compares_runs_that_it_has_and_no_two_are_the_same(question, budget):
    runs = question.list_runs(budget)
    assert len({json.dumps(run.to_plain()) for run in runs}) == len(runs)
    assert len({run.slug for run in runs}) == len(runs)
    assert all(re.fullmatch(r"[\w.-]+", run.slug, re.ASCII) for run in runs)
    names = {run.name for run in runs}
    assert all({c.of, c.than} <= names for c in question.contrasts)
    assert question.contrasts or question.name in TELLERS


def test_every_training_of_the_study_is_a_command(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    choices = importlib.import_module("launching.choices")
    choices.register_choices((), True, False)
    spell = choices.spell
    absent = {f"env={name}" for name in list_absent()}  # without the extra
    runs = [run for question in ALL for run in question.list_runs("full", 1)]
    asked = {("train", run.train) for run in runs}
    asked |= {("warmstart", run.warmstart) for run in runs}
    asked = {(script, w) for script, w in asked if not absent & {*(w or ())}}
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for script, words in asked:
            hydra.compose(
                script, [part for word in words or () for part in spell(word)]
            )


def test_every_question_has_a_file_and_every_file_is_a_question():
    files = {path.stem for path in (ROOT / "conf" / "study").glob("*.yaml")}
    assert files == {*QUESTIONS}


RUN = Run(
    question="geometry",
    name="press_button",
    seed=0,
    budget="small",
    answers={
        "n": 2,
        "splits": ["test"],
        "policies": {
            "tiny": {"policy": "tiny"},
            "sampled": {"policy": "tiny", "temperature": 1.5, "answers": 3},
            "shifted": {"shift": 0.1},
            "jittered": {"jitter": 0.3},
            "exact": {"shift": 0.0},
        },
    },
)


def test_a_run_is_done_once_and_again_if_its_settings_change(tmp_path):
    ledger = Ledger(tmp_path / "rows")
    assert conducting.conduct([RUN], ledger, tmp_path, QUIET) == 1
    assert conducting.conduct([RUN], ledger, tmp_path, QUIET) == 0
    other = replace(RUN, answers={**RUN.answers, "n": 1})
    assert conducting.conduct([RUN, other], ledger, tmp_path, QUIET) == 1
    first, second = ledger.read("geometry")
    found = first["found"]
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    assert len(rows) == 2 * (1 + 3 + 1 + 1 + 1) and len(second["found"]["rows"]) == 7
    assert {row["success"] for row in rows if row["policy"] == "exact"} == {1}
    assert all(row["iou"] > 0.9 for row in rows if row["policy"] == "exact")
    assert all(row["end"] > 0.02 for row in rows if row["policy"] == "shifted")
    # What was interrupted while a row was written is as if it had not been.
    path = ledger.folder / "geometry.jsonl"
    path.write_text(path.read_text()[:-40])
    assert ledger.has(RUN) and not ledger.has(other)


def test_each_seed_answers_scenes_of_its_own():
    suite = load_suite(ROOT / "assets" / "suite.json")
    seeds = suite.list_seeds("press_button", "test")
    policies = {"exact": {"shift": 0.0}}
    second = replace(RUN, seed=1, answers={**RUN.answers, "policies": policies})
    with Workers(1) as workers:
        rows = collect_answers(second, workers)["rows"]
        assert [row[2] for row in rows] == seeds[2:4]
        with pytest.raises(ValueError, match="seed 90: 2 .*181th.*'press_button'"):
            collect_answers(replace(second, seed=90), workers)


def test_auc_is_the_chance_that_a_success_scores_higher():
    rng = np.random.default_rng(0)
    scores, success = rng.integers(0, 6, 60), rng.integers(0, 2, 60)
    wins, losses = scores[success == 1], scores[success == 0]
    pairs = wins[:, None] - losses[None]
    chance = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    assert compute_auc(scores, success) == pytest.approx(chance)
    assert compute_auc(success, success) == 1 and compute_auc(-success, success) == 0
    assert np.isnan(compute_auc(scores, np.ones(60)))


def test_whole_scenes_are_drawn_again():
    scenes = np.repeat([5, 3, 9], [2, 3, 4])
    for places in draw_scenes(scenes, seed=0, times=20):
        kinds, counts = np.unique(scenes[places], return_counts=True)
        sizes = {5: 2, 3: 3, 9: 4}
        assert all(n % sizes[kind] == 0 for kind, n in zip(kinds, counts, strict=True))


def test_tenths_hold_all_answers_in_order():
    rng = np.random.default_rng(0)
    score = rng.uniform(size=203)
    table = {
        "score": score,
        "success": (score > 0.5).astype(float),
        "scene": rng.integers(0, 40, 203),
    }
    bins = cut_deciles(table, "score")
    assert bins[0].success.mean == 0 and bins[-1].success.mean == 1
    assert all(a.high <= b.low for a, b in pairwise(bins))
    assert all(b.success.low <= b.success.mean <= b.success.high for b in bins)


def make_variant(name: str, rate: float, seeds: int = 3) -> Variant:
    rng = np.random.default_rng([*name.encode()])
    return Variant(
        name=name,
        training=name,
        solved=(rng.uniform(size=(seeds, 100)) < rate).astype(float),
        figures={},
        trained=True,
        smoothness=0.9,
        contact_force=0.9,
    )


def test_an_interval_tells_what_differs_from_what_may_not():
    good, alike, poor = (
        make_variant(n, r) for n, r in (("good", 0.8), ("alike", 0.8), ("poor", 0.5))
    )
    gain = compare_variants(good, poor)
    assert 0 < gain.low < gain.mean < gain.high
    words = tell_contrast(Contrast(of="good", than="poor", says="It"), good, poor)
    assert re.match(r"It raises success by 0\.\d\d \[0.*3 seeds\)", words)
    words = tell_contrast(Contrast(of="poor", than="good", says="It"), poor, good)
    assert re.match(r"It lowers success by 0\.\d\d \[0.*3 seeds\)", words)
    words = tell_contrast(Contrast(of="good", than="alike", says="It"), good, alike)
    assert "no difference" in words
    assert compare_variants(good, good).low <= 0 <= compare_variants(good, good).high
    one = make_variant("one", 0.6, seeds=1)
    assert "1 seed, so" in tell_contrast(Contrast(of="", than="", says="It"), one, one)
    once = make_variant("two", 0.1, seeds=1)
    words = tell_contrast(Contrast(of="", than="", says="It"), one, once)
    assert re.match(r"It raised success by .*scenes alone\)", words)
    words = tell_contrast(Contrast(of="", than="", says="It"), good, once)
    assert re.match(r"It raised success by .*1 and 3 seeds, the one's", words)
    assert estimate_success(one).low < 0.6 < estimate_success(one).high
    asked = replace(one, trained=False)
    words = tell_contrast(Contrast(of="", than="", says="It"), asked, asked)
    assert words.endswith("(100 scenes, nothing was trained).")


def test_a_small_difference_has_the_digits_that_tell_it_from_none():
    near = Estimate(mean=-0.073, low=-0.147, high=-0.003)
    assert spell_gain(near) == "-0.073 [-0.147, -0.003]"
    far = Estimate(mean=0.12, low=0.05, high=0.19)
    assert spell_gain(far, "+") == "+0.12 [+0.05, +0.19]"


def test_what_cannot_be_worse_is_told_by_how_much_it_adds():
    once = replace(make_variant("once", 0.7, seeds=1), trained=False)
    again = replace(once, solved=once.solved.copy())
    again.solved[0, :1] = 1 - once.solved[0].min()
    contrast = Contrast(of="again", than="once", says="Another try", adds=True)
    assert tell_contrast(contrast, again, once).startswith("Another try adds 0.0")
    assert tell_contrast(contrast, once, once).startswith("Another try adds 0.000 [")


def test_what_follows_from_no_difference_is_said_there_alone():
    good, poor = make_variant("good", 0.9), make_variant("poor", 0.3)
    contrast = Contrast(of="", than="", says="It", alike="So be it.")
    assert tell_contrast(contrast, good, good).endswith(" So be it.")
    assert "So be it" not in tell_contrast(contrast, good, poor)


def test_a_training_that_is_measured_twice_is_drawn_as_one():
    """Trainings differ by far more here than what is asked of each."""
    rates = np.array([0.1, 0.5, 0.9])[:, None]
    solved = (np.random.default_rng(0).uniform(size=(3, 100)) < rates).astype(float)
    more = solved.copy()
    for row in more:
        row[np.flatnonzero(row == 0)[:6]] = 1
    own = replace(make_variant("told", 0.5), solved=more)
    first, second = replace(own, training="one"), replace(own, solved=solved)
    second = replace(second, name="untold", training="one")
    assert compare_variants(first, second).low > 0
    assert compare_variants(own, second).low < 0  # as if they were two trainings
    row = {"solved": "01", "success": 0.5, "iou": 1, "average": 1, "parse_rate": 1}
    told = {"name": "told", "seed": 0, "compose": [{"name": "one"}]}
    [variant] = read_variants(
        [{"run": told, "found": {"figures": {"a": row}}}]
    ).values()
    assert variant.training == "one"


def test_trainings_that_two_questions_ask_for_are_shared(tmp_path):
    ledger = Ledger(tmp_path)
    words = ("env=pick_mug", "reward=paper", "steps=2")
    usual = Run(question="terms", name="all", seed=0, budget="full", train=words)
    own = replace(usual, train=(*words, "seed=0"))
    for seed in range(3):
        again = ("reward=paper", "env=pick_mug", "steps=2", f"seed={seed}")
        other = replace(usual, question="reward", name="paper", seed=seed, train=again)
        ledger.add(other, 1.0, {"figures": {}})
        longer = replace(other, train=(*again, "algo.beta=1"))
        ledger.add(longer, 1.0, {"figures": {}})
    ledger.add(own, 1.0, {"figures": {}})
    ledger.add(replace(own, name="untrained", train=None), 1.0, {"figures": {}})
    rows = ledger.read("terms")
    lent = [row["run"] for row in ledger.borrow(rows)]
    assert [(run["name"], run["seed"]) for run in lent] == [("all", 1), ("all", 2)]
    assert {run["question"] for run in lent} == {"terms"}
    assert not ledger.borrow(rows[1:])


def test_scenes_that_differ_are_not_compared():
    few = replace(make_variant("few", 0.5), solved=np.ones((1, 7)))
    with pytest.raises(ValueError, match="few on 7 scenes, many on 100"):
        keep_known(few, make_variant("many", 0.5))


def test_scenes_that_one_training_put_aside_are_compared_in_none():
    whole, lacking = make_variant("whole", 0.5), make_variant("lacking", 0.5)
    lacking.solved[1, 4:7] = np.nan
    words = tell_contrast(Contrast(of="", than="", says="It"), whole, lacking)
    assert "(97 scenes" in words and "nan" not in words
    known = estimate_success(lacking)
    assert known.mean == np.delete(lacking.solved, [4, 5, 6], axis=1).mean()
    assert known.low < known.mean < known.high


def test_a_scene_that_was_put_aside_keeps_its_place_among_the_digits():
    exam = Exam(source=SceneSource(names=("press_button",)), n=4, seed=3)
    one, _, three, four = exam.list_seeds()
    assert join_digits(exam, {four: True, one: False, three: True}) == "0-11"
    row = {"solved": "0-11", "success": 0.67, "iou": 1, "average": 1, "parse_rate": 1}
    found = {
        "run": {"name": "x", "seed": 0},
        "found": {"figures": {"a/ood": row, "b/ood": row}},
    }
    [variant] = read_variants([found]).values()
    assert np.isnan(variant.solved[0]).tolist() == [i in (1, 5) for i in range(8)]


def test_the_page_that_comes_along_is_made_of_the_rows_that_come_along(tmp_path):
    kept = ROOT / "assets" / "results"
    for path in kept.glob("*.jsonl"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    page = write_page(Ledger(tmp_path))
    assert page.read_text() == (kept / "README.md").read_text()
    for figure in re.findall(r"\]\((\w+\.svg)\)", page.read_text()):
        assert (kept / figure).stat().st_size < 100_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("only=gemetry",), "valid: geometry, reward"),
        (("budget=large",), "valid: small, full"),
        (("seeds=0",), "seeds is 0"),
    ],
)
def test_a_mistake_names_what_there_is(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in call("study", *words)
    assert not [*tmp_path.iterdir()]


CHOOSE = """
import sys
sys.modules["gymnasium_robotics"] = None  # as where the extra is not installed
from omegaconf import OmegaConf
import study
for only in (None, "carry"):
    config = OmegaConf.create({"only": only})
    print([question.name for question in study.choose_questions(config, print)])
"""


def test_without_the_extra_the_other_questions_are_answered():
    paths = os.pathsep.join([str(ROOT), str(ROOT / "scripts")])
    done = subprocess.run(
        [sys.executable, "-c", CHOOSE],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    left_out, names = done.stdout.splitlines()
    assert left_out.startswith("question carry is left out: it needs the extra meshes")
    assert names == str([name for name in QUESTIONS if name != "carry"])
    assert "ValueError: only=carry needs the extra meshes: pip" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["geometry", "reward"])
def test_a_question_is_answered_again_in_small(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = (f"only={name}", "budget=small", "seeds=1", "quiet=true")
    assert call("study", *words) == ""
    folder = tmp_path / "runs" / "study"
    [question] = load_questions([name])
    rows = Ledger(folder).read(name)
    assert len(rows) == len(question.list_runs("small", 1))
    text = (folder / "README.md").read_text()
    assert question.title in text and re.search(r"\*\*.*\[.*\].*\*\*", text)
    kept = Path(folder, f"{name}.jsonl").read_bytes()
    assert call("study", *words) == ""
    assert Path(folder, f"{name}.jsonl").read_bytes() == kept


SMALL = (
    *("steps=1", "rollout.prompts=2", "rollout.num_generations=2"),
    *("rollout.workers=0", "algo.bf16=false"),
)
EXAM = {"envs": ["press_button"], "splits": ["ood"], "n": 3}


@pytest.mark.slow
def test_trainings_are_measured_also_on_images_and_two_as_one(tmp_path):
    usual = Run(question="joint", name="box", seed=0, budget="small", exam=EXAM)
    about = ("env=press_button", "split=ood", "reward=paper", *SMALL)
    box, path = (
        replace(usual, name=name, train=(*about, f"answer={answer}"))
        for name, answer in (("box", "affordance"), ("path", "trajectory"))
    )
    images = replace(
        usual,
        name="images",
        train=("env=offline", "algo=imitate", *SMALL),
        export=("env=press_button", "format=graspo", "n=12"),
    )
    two = replace(usual, name="two", compose=[box, path])
    ledger, work = Ledger(tmp_path / "rows"), tmp_path / "work"
    assert conducting.conduct([two, images, box], ledger, work, QUIET) == 3
    rows = {row["run"]["name"]: row["found"] for row in ledger.read("joint")}
    assert len([*work.glob("joint_small_*")]) == 3  # each trained once
    for found in rows.values():
        assert len(found["figures"]["press_button/ood"]["solved"]) == 3
    assert "curves" not in rows["two"] and len(rows["box"]["curves"]["reward"]) == 1
    [log] = work.glob("joint_small_images*/rollouts.jsonl")
    assert {json.loads(line)["env"] for line in log.open()} == {"offline"}
    wrong = replace(box, train=("split=often",))
    with pytest.raises(RuntimeError, match="valid: train, test, ood"):
        conducting.conduct([wrong], ledger, work, QUIET)
    assert len(ledger.read("joint")) == 3


WARM = (
    *("env=press_button", "varied=false", "sft.steps=2", "sft.batch=2"),
    *("sft.held_out=2", "sft.workers=0", "sft.bf16=false", "seed=0"),
    *("size.patch=28", "size.merge=1", "size.width=48", "size.language_heads=2"),
    *("size.tower_layers=1", "size.language_layers=2"),
)


@pytest.mark.slow
def test_a_warm_start_is_done_once_and_measured_again_in_other_words(tmp_path):
    exam = {"envs": ["press_button"], "splits": ["test"], "n": 3}
    usual = Run(question="heights", name="2d", seed=0, budget="small", exam=exam)
    flat = replace(usual, warmstart=WARM)
    told = {"knowledge": "parts", "waypoints": "2d"}
    again = replace(usual, name="again", compose=[flat], exam=exam | told)
    high = replace(
        usual,
        name="3d",
        warmstart=(*WARM, "waypoints=3d"),
        exam=exam | {"waypoints": "3d"},
    )
    ledger, work = Ledger(tmp_path / "rows"), tmp_path / "work"
    assert conducting.conduct([again, flat, high], ledger, work, QUIET) == 3
    assert len([*work.glob("heights_small_*")]) == 2
    rows = {row["run"]["name"]: row for row in ledger.read("heights")}
    figures = {n: r["found"]["figures"]["press_button/test"] for n, r in rows.items()}
    assert figures["again"] == figures["2d"]  # which knowledge of tools cannot change
    assert all(
        len(one["touched"]) == len(one["solved"]) == 3 for one in figures.values()
    )
    assert ledger.has(flat) and rows["2d"]["run"]["warmstart"] == [*WARM]


def test_the_middle_of_a_box_tells_the_part():
    scene = envs.make_scene("press_button", seed=1)
    assert scene.reference is not None
    plan = scene.reference.to_plan()
    rollout = Rollout(scene=scene, completion=Completion(text=""), answer=plan)
    assert touches(rollout)
    away = replace(plan, box=(0.0, 0.0, 0.02, 0.02))
    assert not touches(replace(rollout, answer=away))
    assert not touches(replace(rollout, answer=ParseFailure(reason="no_answer")))


def test_what_else_is_measured_has_a_sentence_and_a_column_of_its_own(tmp_path):
    [question] = load_questions(["knowledge"])
    runs, rng = question.list_runs("small", 2), np.random.default_rng(0)
    ledger = Ledger(tmp_path)
    for run in runs:
        right = 0.9 if run.name == "right sentence" else 0.3
        digits = {
            key: "".join(str(int(d)) for d in rng.uniform(size=100) < rate)
            for key, rate in (("solved", 0.2), ("touched", right))
        }
        row = dict.fromkeys(("success", "iou", "average", "parse_rate"), 0.5)
        ledger.add(run, 1.0, {"figures": {"use_tool/test": row | digits}})
    text = write_page(ledger).read_text()
    assert "## 7. " in text and "box right" in text and "2 seeds" in text
    box = r"raises how often the box is on the right part by 0\.[56]"
    assert re.search(rf"\*\*Telling .* {box}", text)
    assert re.search(r"- Telling .* no difference to success", text)


@pytest.mark.parametrize(("rate", "warns"), [(0.05, True), (0.6, False)])
def test_where_no_run_learned_much_the_page_says_so(rate, warns, tmp_path):
    [question] = load_questions(["heights"])
    rng, ledger = np.random.default_rng(0), Ledger(tmp_path)
    for run in question.list_runs("small", 1):
        digits = "".join(str(int(d)) for d in rng.uniform(size=100) < rate)
        row = dict.fromkeys(("success", "iou", "average", "parse_rate"), 0.5)
        row |= {"solved": digits, "touched": digits}
        ledger.add(run, 1.0, {"figures": {"press_button/test": row}})
    said = re.search(
        r"No run comes above 0\.0\d success", write_page(ledger).read_text()
    )
    assert bool(said) == warns


def test_what_a_question_of_unseen_kinds_is_measured_on_never_comes_in_training():
    [question] = load_questions(["knowledge"])
    first, *others = question.list_runs("full", 1)
    assert first.warmstart is not None
    [left_out] = [w for w in first.warmstart if w.startswith("without=")]
    unseen = {*left_out.removeprefix("without=").strip("[]").split(",")}
    assert len(unseen) == 3 and unseen < {*KINDS}
    for run in (first, *others):
        measured = {*KINDS} - {*run.exam["without"]}
        known = run.name.startswith("known tools")
        assert measured == ({*KINDS} - unseen if known else unseen)


def test_a_contrast_is_of_the_scene_that_it_names():
    def make_row(name: str, learned: str, other: str) -> dict:
        one = {"iou": 1.0, "average": 1.0, "parse_rate": 1.0, "success": 0.5}
        figures = {"a/ood": one | {"solved": learned}, "b/ood": one | {"solved": other}}
        run = {"name": name, "seed": 0}
        return {"run": run, "found": {"figures": figures}}

    rows = [make_row("good", "1111", "0000"), make_row("poor", "0000", "1111")]
    assert read_variants(rows)["good"].solved.mean() == 0.5
    for env, mean in (("a", 1.0), ("b", 0.0)):
        found = read_variants(keep_scenes(rows, env))["good"]
        assert (found.scenes, found.solved.mean()) == (4, mean)


def test_a_budget_is_shown_once_it_answers_the_question(tmp_path):
    [question] = load_questions(["joint"])
    ledger = Ledger(tmp_path)
    one = {"solved": "01", "success": 0.5, "iou": 1, "average": 1, "parse_rate": 1}
    found = {"figures": {"pick_mug/ood": one}}
    for run in question.list_runs("full", 1)[:1]:
        ledger.add(run, 1.0, found)
    assert ledger.choose(question)[0] == "full"
    for run in question.list_runs("small", 1):
        ledger.add(run, 1.0, found)
    assert ledger.choose(question)[0] == "small"
    for run in question.list_runs("full", 1)[1:]:
        ledger.add(run, 1.0, found)
    budget, rows = ledger.choose(question)
    assert (budget, len(rows)) == ("full", len(question.list_runs("full", 1)))
    text = write_page(ledger).read_text()
    assert "budget=full`: 6 of 16 runs (the rest has not been done), 1 seed" in text


def test_how_far_a_policy_carries_is_told_by_scene(tmp_path):
    [question] = load_questions(["carry"])
    ledger, rng = Ledger(tmp_path), np.random.default_rng(0)
    rates = {"expert": 0.99, "tiny": 0.2, "tiny_grpo": 0.3, "adapted": 0.9}
    for run in question.list_runs("full", 2):
        column = run.name.partition(",")[0]
        figures = {}
        for env in run.exam["envs"]:
            hard = env in ("kitchen_knob", "kitchen_switch")
            rate = rates[column] * (0.1 if hard and column != "adapted" else 1.0)
            rate = 0.4 if env == "kitchen_switch" and column == "adapted" else rate
            solved = "".join(str(int(x)) for x in rng.random(100) < rate)
            figures[f"{env}/test"] = {"solved": solved, "success": rate, "iou": 50.0}
            figures[f"{env}/test"] |= {"average": 50.0, "parse_rate": 1.0}
        ledger.add(run, 1.0, {"figures": figures})
    text = write_page(ledger).read_text()
    gain = r"raises success by 0\.\d\d .*\(1000 scenes, 2 seeds\)"
    assert re.search(gain, text)
    assert "Of 8 scenes that start above 0.05, 8 come to 0.8 or more" in text
    assert "; of 2 that start lower, 1 come above 0.5." in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines[0] == "| scene | expert | tiny | tiny_grpo | adapted |"
    assert len(lines) == 2 + 10 and "open_drawer, ur5e" in text
    assert (tmp_path / "carry.svg").stat().st_size > 1000
    # A scene that one of them put aside counts for neither.
    _, rows = ledger.choose(question)
    [kettle] = [
        row["found"]["figures"]["kitchen_kettle/test"]
        for row in rows
        if row["run"]["name"] == "tiny"
    ]
    kettle["solved"] = "-" + kettle["solved"][1:]
    text = tell_carrying(question, rows, tmp_path)
    assert "(999 scenes" in text and "nan" not in text
    assert "Of 8 scenes that start above 0.05, 8 come to 0.8 or more" in text
