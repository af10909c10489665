"""The report: what it reads, how it sorts, what it says."""

from __future__ import annotations

import json
import math
import re
import shutil
from base64 import b64encode
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader

from envs import format_answer, parse_answer
from envs.records import Plan
from policy.report.curves import draw_curves, smooth
from policy.report.films import Media, choose_films, film_attempt, make_films
from policy.report.kinds import FIGURE_NAMES
from policy.report.page import TEMPLATES, write_comparison, write_report
from policy.report.run import read_run
from policy.report.scenes import Case, pair_up, sort_cases
from policy.report.tables import (
    FIGURES,
    list_reasons,
    rate_by_factor,
    rate_by_scene,
    rate_cases,
)
from policy.report.text import split_text
from policy.report.words import describe_run, list_differences, tell_time
from policy.rollout.crew import LostWork
from policy.rollout.log import EvaluationLog, read_rows
from policy.rollout.workers import Workers

PLAN = Plan(box=(0.1, 0.2, 0.3, 0.4), waypoints=((0.2, 0.3), (0.2, 0.2), (0.3, 0.1)))


@pytest.fixture(scope="module")
def cases(finished: Path) -> list[Case]:
    return sort_cases(pair_up(read_run(finished).evaluations))


def test_every_scene_is_there_once_and_what_flipped_comes_first(cases) -> None:
    verdicts = [case.verdict for case in cases]
    assert len(cases) == len({case.first["seed"] for case in cases})
    flips = sum(verdict in ("gained", "lost") for verdict in verdicts)
    assert flips >= 2 and {"gained", "lost"} == set(verdicts[:flips])
    ends = {"failed": 1, "solved": 2}
    assert verdicts[flips:] == sorted(verdicts[flips:], key=ends.__getitem__)


def test_tables_count_what_the_rows_say(finished: Path, cases) -> None:
    run = read_run(finished)
    overall = rate_cases("all", cases)
    for rate, name in zip(overall.rates, ("before", "after"), strict=True):
        assert rate.mean == pytest.approx(run.figures[name]["success"])
    assert overall.pairs is not None
    assert overall.pairs.gained == sum(c.verdict == "gained" for c in cases)
    by_scene = rate_by_scene(cases)
    assert [row.title for row in by_scene] == ["pick_mug", "press_button"]
    assert sum(row.n for row in by_scene) == len(cases)
    for place, name in enumerate(("before", "after")):
        counted = {r.name: r.counts[place] for r in list_reasons(cases)}
        assert {k: v for k, v in counted.items() if v} == run.figures[name]["failures"]


def test_a_factor_that_varies_is_told_apart_and_one_that_does_not_is_left_out() -> None:
    def make(angle: float, success: bool) -> dict:
        fixed = {"env": "pick_mug", "reason": "", "parse_failure": None, "turn": 1}
        factors = {"camera azimuth": angle, "first word": "lift"}
        scene = {"name": "pick_mug", "seed": int(10 * angle)}
        return fixed | {"scene": scene, "success": success, "factors": factors}

    rows = [make(i / 10, i >= 20) for i in range(30)]
    tables = rate_by_factor(pair_up({"before": rows}))
    assert list(tables) == ["camera azimuth [degrees]"]
    low, middle, high = next(iter(tables.values()))
    assert (low.n, middle.n, high.n) == (10, 10, 10)
    assert [row.rates[0].mean for row in (low, middle, high)] == [0, 0, 1]
    assert (low.title, high.title) == ("0 to 0.9", "2 to 2.9")


def test_only_scenes_that_all_answered_are_compared(finished: Path) -> None:
    rows = read_run(finished).evaluations["before"]
    assert len(pair_up({"a": rows, "b": rows[:3]})) == 3
    assert pair_up({"a": rows[:2], "b": rows[2:]}) == []
    again = pair_up({"played": [rows[0], rows[0]]})  # tried twice: two attempts
    assert len(again) == 2


def test_films_are_chosen_of_every_kind_and_of_flips_first(cases) -> None:
    for count in (0, 1, 4, 100):
        chosen = choose_films(cases, count)
        assert len(chosen) == len({id(case) for case in chosen}) <= count
    assert choose_films(cases, 1)[0].verdict in ("gained", "lost")
    assert {"failed", "solved"} <= {c.verdict for c in choose_films(cases, 8)}


def test_a_film_ends_as_the_row_says_and_is_made_once(finished, cases) -> None:
    media = dict.fromkeys(("before", "after"), Media(folder=finished / "evaluations"))
    gained = [case for case in cases if case.verdict == "gained"][:1]
    with Workers(0) as workers:
        make_films(media, gained, workers)
        film = media["after"].find_film(gained[0].attempts[1])
        written = film.stat().st_mtime_ns
        make_films(media, gained, workers)
    assert film.stat().st_mtime_ns == written
    assert film.read_bytes()[4:8] == b"ftyp"


def test_a_second_turn_is_filmed_from_what_the_first_left(episode, tmp_path) -> None:
    log = EvaluationLog(tmp_path, "played")
    log.add(episode)
    log.save()
    rows = read_rows(tmp_path / "played.jsonl")
    film_attempt(rows[:1], tmp_path / "one.mp4")
    film_attempt(rows, tmp_path / "both.mp4")
    sizes = [(tmp_path / f"{name}.mp4").stat().st_size for name in ("one", "both")]
    assert 1.4 * sizes[0] < sizes[1]
    assert len({row["image"] for row in rows}) == 2


@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=40))
def test_smoothing_stays_within_what_was_seen(values) -> None:
    known = [value for value in values if value is not None]
    for value, smoothed in zip(values, smooth(values), strict=True):
        assert (value is None) == (smoothed is None)
        if smoothed is not None:
            assert min(known) - 1e-3 <= smoothed <= max(known) + 1e-3
    assert smooth([3.0, 3.0, 3.0]) == pytest.approx([3.0] * 3)


def test_curves_leave_out_what_is_zero_throughout_and_say_so(finished: Path) -> None:
    groups = {group.title: group for group in draw_curves([read_run(finished)])}
    learning = groups["Answers and learning"]
    assert "KL to the reference" in learning.idle
    titles = [chart.title for chart in learning.charts]
    assert "gradient norm" in titles and "KL to the reference" not in titles


@given(st.text(max_size=200))
def test_the_pieces_of_any_text_are_the_text(text: str) -> None:
    assert "".join(piece.text for piece in split_text(text)) == text


@pytest.mark.parametrize("coordinates", ["[12, 20, 30, 40]", "[1200, 20, 3000, 4000]"])
def test_numbers_of_the_box_and_of_the_path_are_told_apart(coordinates: str) -> None:
    path = "[[1, 2], [3, 4], [5, 6]]"
    text = f'<answer>{{"affordance": {coordinates}, "trajectory": {path}}}</answer>'
    kinds = [piece.kind for piece in split_text(text) if piece.kind]
    assert kinds == ["box", "waypoint", "waypoint", "waypoint"]
    assert parse_answer(format_answer(PLAN)) == PLAN


def test_what_cannot_be_seen_is_named() -> None:
    pieces = split_text("a\u202eb")
    assert [piece.shown for piece in pieces] == ["a", "U+202E", "b"]


def test_a_run_is_said_in_a_sentence(finished: Path) -> None:
    sentence = describe_run(read_run(finished))
    assert (
        "pick_mug, press_button" in sentence and "100 steps in 7 min 11 s" in sentence
    )
    assert [tell_time(s) for s in (59.6, 60, 3700)] == [
        "1 min 0 s",
        "1 min 0 s",
        "1 h 1 min",
    ]


def test_runs_differ_in_settings_but_not_in_where_they_are(finished, tmp_path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    text = (finished / "config.yaml").read_text()
    changed = text.replace("seed: 0", "seed: 1") + "run_dir: elsewhere\n"
    (other / "config.yaml").write_text(changed)
    assert list_differences([read_run(finished), read_run(other)]) == {"seed": [0, 1]}


@pytest.mark.parametrize(
    "left", ["config.yaml", "evaluations", "config.yaml metrics.jsonl"]
)
def test_a_run_with_fewer_files_shows_what_it_has(finished, tmp_path, left) -> None:
    path = tmp_path / "run"
    path.mkdir()
    for name in left.split():
        source = finished / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, path / name)
    with Workers(0) as workers:
        page = write_report(path, workers, films=0).read_text()
    assert ("No evaluation on held-out scenes" in page) == ("evaluations" not in left)


def read_main(page: Path) -> str:
    """What a page shows, without its markup."""
    body = page.read_text().partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_what_was_played_in_a_run_changes_none_of_its_figures(
    finished, played, tmp_path
) -> None:
    out = tmp_path / "page.html"
    with Workers(0) as workers:
        alone = read_main(write_report(finished, workers, films=0, out=out))
        both = read_main(write_report(played, workers, films=0, out=out))
    run = read_run(played)
    assert [*run.evaluations] == ["before", "after"] and len(run.played) == 2
    shown, _, tried = both.partition(" Played ")
    assert shown == alone.partition(" How it was made ")[0]
    assert tried.count("tried by hand") == 2 and "press_button · ood 7" in tried
    assert "no figure of this page counts them" in tried


def test_what_was_played_has_its_image_and_its_film(played, tmp_path) -> None:
    out = tmp_path / "page.html"
    with Workers(0) as workers:
        page = write_report(played, workers, films=2, out=out).read_text()
    section = page.partition('<section id="played">')[2].partition('id="made"')[0]
    assert section.count('class="card"') == 2 and "▶ film" in section
    assert section.count('<g class="expert">') == 2
    names = set(re.findall(r'data-(?:file|film)="(\w+\.\w+)"', section))
    held = page.partition('id="files">')[2].partition("</script>")[0]
    assert len(names) > 2 and names <= json.loads(held).keys()


def test_a_directory_of_the_playground_shows_what_was_played(played, tmp_path) -> None:
    path = tmp_path / "alone"
    rows = Path("evaluations") / "played.jsonl"
    (path / "evaluations").mkdir(parents=True)
    shutil.copy(played / rows, path / rows)
    run = read_run(path)
    assert [*run.evaluations] == ["played"] and not run.played
    with Workers(0) as workers:
        shown = read_main(write_report(path, workers, films=0))
    assert "Attempts at press_button. played 0.50" in shown
    assert "Why it fails" in shown and shown.count("tried by hand") == 2


def test_a_run_that_has_begun_and_was_played_in_has_no_figures_yet(
    played, tmp_path
) -> None:
    path = _copy(played, tmp_path)
    for name in ("before", "after"):
        (path / "evaluations" / f"{name}.jsonl").unlink()
    for name in ("summary.json", "before.json"):
        (path / name).unlink()
    with Workers(0) as workers:
        shown = read_main(write_report(path, workers, films=0))
    assert "No evaluation on held-out scenes yet." in shown and " Played " in shown


def begin(finished: Path, tmp_path: Path) -> Path:
    """A run like another, that is not done: it has no evaluation after training."""
    path = Path(shutil.copytree(finished, tmp_path / "begun"))
    (path / "evaluations" / "after.jsonl").unlink()
    (path / "summary.json").unlink()
    return path


def test_runs_are_compared_on_the_last_evaluation_that_all_have(
    finished, played, tmp_path
) -> None:
    begun, done = begin(finished, tmp_path), _copy(played, tmp_path)

    def compare(*runs: Path) -> str:
        out = tmp_path / "page.html"
        with Workers(0) as workers:
            return read_main(write_comparison(runs, out, workers, films=0))

    first, last = compare(begun, done), compare(finished, done)
    three = compare(finished, done, begun)
    same = "on the same 12 scenes"
    assert f"+0.000 run over begun before training, {same}" in first
    assert f"+0.000 run over first after training, {same}" in last
    for shown, when in ((first, "before"), (last, "after"), (three, "before")):
        assert f"The same scenes {when} training" in shown
        assert f"Why they fail {when} training" in shown
    assert "tried by hand" not in last


def test_runs_that_share_no_evaluation_are_not_compared(finished, tmp_path) -> None:
    done, begun = _copy(finished, tmp_path), begin(finished, tmp_path)
    (done / "evaluations" / "before.jsonl").unlink()
    with Workers(0) as workers:
        page = write_comparison([begun, done], tmp_path / "out.html", workers, films=0)
    shown = read_main(page)
    assert "The runs were not measured on the same scenes." in shown
    assert "McNemar" not in shown and "The same scenes" not in shown


def test_what_is_no_run_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither config.yaml nor evaluations/"):
        read_run(tmp_path)


def test_a_run_directory_cannot_make_the_page_read_other_files(
    finished, tmp_path
) -> None:
    path = tmp_path / "run"
    shutil.copytree(finished / "evaluations", path / "evaluations")
    (path / "evaluations" / "images").mkdir(exist_ok=True)
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"\xff\xd8\xff secret")
    rows = read_rows(path / "evaluations" / "before.jsonl")[:1]
    rows[0]["image"] = "../../../secret.jpg"
    (path / "evaluations" / "before.jsonl").write_text(json.dumps(rows[0]) + "\n")
    (path / "evaluations" / "after.jsonl").unlink()
    with Workers(0) as workers:
        page = write_report(path, workers, films=0).read_text()
    assert b64encode(secret.read_bytes()).decode() not in page


def test_a_figure_that_a_run_does_not_have_is_not_called_zero(finished) -> None:
    run = read_run(finished)
    for row in run.metrics:
        row.pop("cut_off")
    [group] = [g for g in draw_curves([run]) if g.title == "Answers and learning"]
    assert "answers cut off" not in [*group.idle, *(c.title for c in group.charts)]


def _copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_run_that_goes_on_for_more_steps_is_not_done(finished, tmp_path) -> None:
    path = _copy(finished, tmp_path)
    config = (path / "config.yaml").read_text()
    (path / "config.yaml").write_text(config.replace("steps: 100", "steps: 150"))
    run = read_run(path)
    assert run.going and "100 of 150 steps" in describe_run(run)
    assert [*run.figures] == [*run.evaluations] == ["before"]


@pytest.mark.parametrize("name", ["..", "page.html", "picture.png"])
def test_a_picture_of_another_kind_is_left_out(finished, tmp_path, name) -> None:
    path = _copy(finished, tmp_path)
    file = path / "evaluations" / "before.jsonl"
    rows = [row | {"image": name} for row in read_rows(file)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (path / "evaluations" / "images" / "page.html").write_text("x")
    with Workers(0) as workers:
        assert write_report(path, workers, films=0).exists()


def test_a_film_that_nobody_can_make_leaves_a_page_without_it(
    finished, tmp_path, monkeypatch
) -> None:
    path = _copy(finished, tmp_path)
    shutil.rmtree(path / "evaluations" / "films", ignore_errors=True)
    lost: Future = Future()
    lost.set_exception(LostWork("no answer within 120 s"))
    with Workers(0) as workers:
        monkeypatch.setattr(workers, "start", lambda *_: lost)
        page = write_report(path, workers, films=2).read_text()
    assert "▶ film" not in page.partition("<script>")[0]


@pytest.mark.parametrize("bomb", ["a: &a {b: *a}", "a: &a [x]\nb: [*a, *a]", "[", "7"])
def test_a_configuration_that_grows_or_is_none_is_named(tmp_path, bomb) -> None:
    (tmp_path / "config.yaml").write_text(bomb)
    with pytest.raises(ValueError, match=r"config\.yaml is damaged"):
        read_run(tmp_path)


LOST: Any = object()  # instead of a value: the key is not there
STYLE = "0;background:url(http://127.0.0.1:9/beacon)"
COUNT, NUMBER = "a whole number from 0 on", "a finite number"
TIMES = "finite numbers by name, elapsed_s and step_s among them"
DAMAGED = {
    "metrics.jsonl": [
        ("step", LOST, "it lacks step"),
        ("step", 1.5, f"step is 1.5; valid: {COUNT}"),
        ("timing", LOST, "it lacks timing"),
        ("timing", {"step_s": 1.0}, f"timing is {{'step_s': 1.0}}; valid: {TIMES}"),
        ("timing.step_s", "x", f"valid: {TIMES}"),
        ("reward", "abc", f"reward is 'abc'; valid: {NUMBER}, or null"),
        ("success/cup", [1], f"success/cup is [1]; valid: {NUMBER}, or null"),
        ("kl", math.inf, f"kl is inf; valid: {NUMBER}, or null"),
    ],
    "before.json": [
        ("n", LOST, "it lacks n"),
        ("n", "12", f"n is '12'; valid: {COUNT}"),
        ("success", None, f"success is None; valid: {NUMBER}"),
        ("iou/offline", 1.0, "the interval of iou/offline is None; valid: 2 finite"),
        ("intervals", 5, "the interval of success is None; valid: 2 finite numbers"),
    ],
    "summary.json": [
        ("seconds", LOST, "it lacks seconds"),
        ("seconds", "x", f"seconds is 'x'; valid: {NUMBER}"),
        ("steps", "x", f"steps is 'x'; valid: {COUNT}"),
        ("before", 5, "before is 5; valid: an object"),
        ("after.intervals", LOST, "after: the interval of success is None; valid: 2"),
        ("after.intervals.success", [STYLE, 1], "valid: 2 finite numbers"),
        ("after.intervals.success", [0.1, math.nan], "valid: 2 finite numbers"),
    ],
    "config.yaml": [
        ("steps", "x", f"steps is 'x'; valid: {COUNT}, or null"),
        ("shifts", 5, "shifts is 5; valid: a list of texts, or null"),
        ("env.only", [5], "env.only is [5]; valid: a list of texts, or null"),
        ("policy", {"lora": 5}, "policy.lora is 5; valid: an object with a rank, or"),
    ],
}


def change(file: Path, key: str, value: Any) -> None:
    """Puts a value into a file of a run, at a key with dots; of metrics, into all."""
    text, lines = file.read_text(), file.suffix == ".jsonl"
    rows = [*map(json.loads, text.splitlines())] if lines else [yaml.safe_load(text)]
    for row in rows:
        *above, last = key.split(".")
        for part in above:
            row = row[part]
        row.pop(last, None)
        row.update({} if value is LOST else {last: value})
    dump = json.dumps if file.suffix != ".yaml" else yaml.safe_dump
    file.write_text("".join(dump(row) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("name", "key", "value", "said"),
    [
        pytest.param(name, *case, id=f"{name}-{case[0]}-{i}")
        for name, cases in DAMAGED.items()
        for i, case in enumerate(cases)
    ],
)
def test_what_a_file_of_a_run_cannot_hold_is_named(
    finished, tmp_path, name, key, value, said
) -> None:
    path = _copy(finished, tmp_path)
    change(path / name, key, value)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        read_run(path)
    start = ", line 1 is no step: " if name == "metrics.jsonl" else " is damaged: "
    assert str(caught.value).startswith(f"{path / name}{start}")


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("metrics.jsonl", "success", None),
        ("metrics.jsonl", "step", 7),
        ("before.json", "split", 5),
        ("before.json", "of another version", ["x"]),
        ("config.yaml", "steps", None),
        ("config.yaml", "policy", {"path": 5, "lora": {"rank": 4}}),
        ("config.yaml", "env", {6: 7}),
        ("config.yaml", "shifts", ["camera"]),
    ],
)
def test_what_a_file_of_a_run_may_hold_is_shown(
    finished, tmp_path, name, key, value
) -> None:
    path = _copy(finished, tmp_path)
    change(path / name, key, value)
    with Workers(0) as workers:
        assert write_report(path, workers, films=0).exists()


def test_every_figure_that_a_report_shows_is_checked() -> None:
    assert FIGURES.keys() == {*FIGURE_NAMES}


@pytest.mark.parametrize("part", ["low", "high", "mean"])
def test_a_style_takes_nothing_but_numbers(part: str) -> None:
    writer = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    writer.filters["word"] = str
    track: Any = vars(writer.get_template("parts.html").module)["track"]
    rate = {"low": 0.25, "high": 0.75, "mean": 0.5}
    assert "--low:0.2500;--high:0.7500;--mean:0.5000;" in track(rate, 0)
    with pytest.raises(TypeError, match="must be real number"):
        track(rate | {part: STYLE}, 0)
