"""The page in a browser: it opens offline, filters, plays films, and fits a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Visit, needs_chromium, start_chromium, visit
from playwright.sync_api import Browser

from policy.report.page import write_comparison, write_report
from policy.report.run import read_run
from policy.report.scenes import pair_up
from policy.rollout.workers import Workers

LIMIT_MB = 25
PHONE, SCREEN = 390, 1280  # pixels
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with start_chromium() as started:
        yield started


@pytest.fixture(scope="module")
def page(finished: Path) -> Path:
    with Workers(0) as workers:
        return write_report(finished, workers, films=2)


@pytest.fixture(scope="module")
def comparison(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages") / "compare.html"
    with Workers(0) as workers:
        return write_comparison([finished, finished], out, workers, films=0)


@pytest.fixture(scope="module")
def opened(browser: Browser, page: Path) -> Iterator[Visit]:
    with visit(browser, page.as_uri()) as visited:
        yield visited


def scroll_through(visited: Visit) -> None:
    """Brings everything near once, so that all plots and pictures are there."""
    height = visited.page.evaluate("document.documentElement.scrollHeight")
    for top in range(0, height, 900):
        visited.page.evaluate(f"scrollTo({{top: {top}, behavior: 'instant'}})")
        visited.page.wait_for_timeout(20)


def choose(visited: Visit, **choices: str) -> list[dict[str, str]]:
    """Sets filters, all others clear; returns the data of the cards that are seen."""
    visited.page.click("#filters button[type=reset]")
    for name, choice in choices.items():
        visited.page.select_option(f"#filters [name={name}]", choice)
    visited.page.wait_for_timeout(50)
    cards = visited.page.locator(".card:visible")
    return cards.evaluate_all("cards => cards.map(card => ({...card.dataset}))")


@pytest.mark.parametrize(
    ("which", "width", "dark"),
    [
        ("page", PHONE, True),
        ("page", SCREEN, False),
        ("comparison", PHONE, False),
        ("comparison", SCREEN, True),
    ],
)
def test_a_page_opens_offline_without_an_error_and_fits(
    which: str, width: int, dark: bool, browser: Browser, request
) -> None:
    file: Path = request.getfixturevalue(which)
    assert file.stat().st_size < LIMIT_MB * 1e6
    with visit(browser, file.as_uri(), width=width, dark=dark) as visited:
        scroll_through(visited)
        plots = visited.page.locator(".plot")
        assert plots.count() == visited.page.locator(".js-plotly-plot").count() > 9
        images = visited.page.locator(".card:visible img, .reasons img")
        assert images.evaluate_all("all => all.every(i => i.naturalWidth === 224)")
        wide = visited.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        assert not visited.errors and not visited.requests


def test_each_filter_shows_what_it_names(opened: Visit, finished: Path) -> None:
    cases = pair_up(read_run(finished).evaluations)
    assert len(choose(opened)) == len(cases)
    for scene in ("pick_mug", "press_button"):
        cards = choose(opened, scene=scene)
        assert len(cards) == sum(case.first["env"] == scene for case in cases)
        assert {card["scene"] for card in cards} == {scene}
    for verdict in {case.verdict for case in cases}:
        cards = choose(opened, verdict=verdict)
        assert len(cards) == sum(case.verdict == verdict for case in cases)
        assert {card["verdict"] for card in cards} == {verdict}
    for reason in {a.reason for case in cases for a in case.attempts if a.reason}:
        cards = choose(opened, reason=reason)
        assert cards and all(reason in card["reason"].split("|") for card in cards)
    both = choose(opened, scene="pick_mug", verdict="gained")
    assert 0 < len(both) < len(choose(opened, verdict="gained"))


def test_a_reason_leads_to_its_scenes(opened: Visit) -> None:
    link = opened.page.locator(".reasons a").first
    reason = link.get_attribute("data-reason")
    link.press("Enter")
    opened.page.wait_for_timeout(100)
    assert opened.page.input_value("#filters [name=reason]") == reason
    assert "#gallery" in opened.page.url


def test_films_play_by_keyboard_and_go_away_again(opened: Visit) -> None:
    choose(opened)
    opened.page.check("#filters [name=film]")
    button = opened.page.locator(".card:visible .play").first
    button.press("Enter")
    film = opened.page.locator(".card:visible video")
    film.evaluate("film => new Promise(done => film.oncanplay = done)")
    assert film.evaluate("film => film.duration") > 1
    button.press("Enter")
    assert film.count() == 0


def test_overlays_can_be_put_away(opened: Visit) -> None:
    choose(opened, verdict="solved")
    expert = opened.page.locator(".card:visible .expert").first
    assert expert.is_visible()
    opened.page.uncheck("#filters [name=expert]")
    assert not expert.is_visible()


def test_a_models_text_is_shown_and_never_run(opened: Visit, hostile: str) -> None:
    choose(opened, reason="no_answer")
    said = opened.page.locator(".card:visible .said", has_text="</script>").first
    assert said.inner_text() == hostile.replace("\u202e", "U+202E")
    assert opened.page.title() == "both/first · Graspo"
    assert hostile.replace("\u202e", "") in opened.page.locator(
        ".facts"
    ).first.inner_text().replace("\u202e", "")


def test_runs_of_one_name_are_told_apart(comparison: Path) -> None:
    text = comparison.read_text()
    assert "both/first (1)" in text and "both/first (2)" in text


def test_filters_leave_what_was_played_alone(
    browser: Browser, played: Path, tmp_path: Path
) -> None:
    with Workers(0) as workers:
        file = write_report(played, workers, films=2, out=tmp_path / "page.html")
    with visit(browser, file.as_uri()) as visited:
        cards = visited.page.locator("#played .card:visible")
        choose(visited, scene="pick_mug")
        assert cards.count() == 2
        assert visited.page.inner_text("#count").endswith(" of 12 scenes")
        scroll_through(visited)
        images = visited.page.locator("#played img")
        assert images.evaluate_all("all => all.every(i => i.naturalWidth === 224)")
        cards.locator(".play").last.press("Enter")
        film = visited.page.locator("#played video")
        film.evaluate("film => new Promise(done => film.oncanplay = done)")
        visited.page.uncheck("#filters [name=expert]")
        assert not cards.locator(".expert").first.is_visible()
        assert not visited.errors and not visited.requests


def test_filters_outlive_a_reload(browser: Browser, page: Path) -> None:
    with visit(browser, page.as_uri()) as visited:
        choose(visited, verdict="gained")
        visited.page.reload()
        assert visited.page.input_value("#filters [name=verdict]") == "gained"
        verdicts = visited.page.locator(".card:visible").evaluate_all(
            "cards => cards.map(card => card.dataset.verdict)"
        )
        assert set(verdicts) == {"gained"}
