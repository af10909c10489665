"""The page in a browser, by mouse and keyboard, served by the command itself."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Visit, needs_chromium, start_chromium, visit
from commands import ROOT
from playwright.sync_api import Browser, Locator, expect

import envs
from envs.records import Reference
from envs.scene import Scene
from policy.rollout.rebuild import read_episodes

pytestmark = needs_chromium
PATIENCE_MS = 60_000  # a film and a first scene on a busy machine


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "played"


@pytest.fixture(scope="module")
def address(run_dir: Path) -> Iterator[str]:
    """Where the page is, served by a process of its own, without a model."""
    options = ["policy=expert", "port=0", "rollout.workers=1", f"run_dir={run_dir}"]
    server = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "play.py"), *options],
        cwd=run_dir.parent,
        # To NiceGUI a test is no server.
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    found = re.match(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
    assert found, server.stdout.read()
    yield found[0]
    server.send_signal(signal.SIGINT)
    assert server.wait(60) == 0
    assert [p.name for p in run_dir.parent.iterdir()] == ["played"]  # nothing else


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with start_chromium() as started:
        yield started


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Visit]:
    with visit(browser, address) as tab:
        tab.page.set_default_timeout(PATIENCE_MS)
        yield tab
        assert not tab.errors and not tab.requests


def choose(tab: Visit, env: str) -> Scene:
    """Chooses a kind of scene; returns the one that is then shown."""
    scene = envs.make_scene(env, split="test", seed=0)
    tab.page.locator(".choose-scene").click()
    tab.page.get_by_role("option", name=env, exact=True).click()
    expect(tab.page.get_by_label("instruction")).to_have_value(scene.instruction)
    return scene


def draw(tab: Visit, reference: Reference) -> None:
    """Draws an expert's answer by mouse."""
    image = tab.page.locator(".board img")
    image.hover()  # waits until it stands still and no menu covers it
    place = image.bounding_box()
    assert place is not None

    def at(x: float, y: float) -> tuple[float, float]:
        return place["x"] + x * place["width"], place["y"] + y * place["height"]

    mouse, (x1, y1, x2, y2) = tab.page.mouse, reference.box
    mouse.move(*at(x1, y1))
    mouse.down()
    mouse.move(*at((x1 + x2) / 2, y2), steps=2)
    mouse.move(*at(x2, y2))
    mouse.up()
    for count, (x, y, *_) in enumerate(reference.waypoints, start=1):
        mouse.click(*at(x, y))
        expect(tab.page.locator(".board circle")).to_have_count(count)


def execute(tab: Visit) -> Locator:
    """Executes; returns the line that says what came of it."""
    tab.page.get_by_role("button", name="execute").click()
    line = tab.page.locator(".verdict.success, .verdict.failure").locator(".line")
    expect(line).to_be_visible()
    return line


@pytest.mark.parametrize("env", ["pick_mug", "push_to_target", "open_drawer"])
def test_the_experts_answer_drawn_by_mouse_succeeds(opened: Visit, env: str) -> None:
    reference = choose(opened, env).reference
    assert reference is not None
    draw(opened, reference)
    assert execute(opened).inner_text() == "Success"
    assert "stroke-dasharray" in opened.page.locator(".board svg").inner_html()
    opened.page.wait_for_function("document.querySelector('video').readyState >= 2")
    expect(opened.page.get_by_role("button", name="try again")).to_be_disabled()


def test_nonsense_fails_with_its_reason_and_a_policy_may_try_again(
    opened: Visit, run_dir: Path
) -> None:
    page, answer = opened.page, opened.page.get_by_label("answer", exact=True)
    choose(opened, "press_button")
    answer.fill('<script>document.title = "hacked"</script>')
    assert execute(opened).inner_text() == "Failed: no answer"
    page.get_by_role("button", name="try again").click()
    expect(page.locator(".turn")).to_have_text("turn 2 of 3")
    page.get_by_role("button", name="let it answer").click()
    expect(answer).to_have_value(re.compile("affordance"))
    expect(page.locator(".board circle")).to_have_count(3)  # drawn as it is written
    assert execute(opened).inner_text() == "Success"
    page.get_by_role("button", name="save").click()
    expect(page.get_by_text("2 saved")).to_be_visible()
    rows = read_episodes(run_dir)[-1]
    assert [row["policy"] for row in rows] == ["hand", "expert"]
    assert [row["success"] for row in rows] == [False, True]
    assert "hacked" in rows[0]["text"] and page.title() == "Graspo playground"


def test_other_words_ask_for_something_else(opened: Visit) -> None:
    page = opened.page
    scene = choose(opened, "place_in_bowl")
    others = [goal.instruction for goal in scene.others]
    page.get_by_text(others[0], exact=True).click()
    expect(page.get_by_label("instruction")).to_have_value(others[0])
    assert scene.reference is not None
    draw(opened, scene.reference)  # what is not asked any more
    assert execute(opened).inner_text().startswith("Failed")
    words = page.get_by_label("instruction")
    words.fill("make me happy")
    words.press("Enter")
    execute(opened)
    expect(page.locator(".note")).to_contain_text(f"judged as: {others[0]}")


def test_a_path_can_be_taken_back_and_a_camera_moved(opened: Visit) -> None:
    page = opened.page
    reference = choose(opened, "stack_blocks").reference
    assert reference is not None
    draw(opened, reference)
    for left in (2, 1, 0):
        page.get_by_role("button", name="undo").click()
        expect(page.locator(".board circle")).to_have_count(left)
    expect(page.locator(".board rect")).to_have_count(2)  # the box and its outline
    before = page.locator(".board img").get_attribute("src")
    page.get_by_text("camera", exact=True).click()
    page.get_by_label("azimuth").fill("50")
    expect(page.locator(".board img")).not_to_have_attribute("src", before or "")
    expect(page.locator(".board rect")).to_have_count(0)


def test_it_fits_a_telephone(browser: Browser, address: str) -> None:
    with visit(browser, address, width=390, dark=True) as tab:
        expect(tab.page.locator(".board img")).to_be_visible()
        wide = tab.page.evaluate("document.documentElement.scrollWidth")
        paper = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert wide <= 390 and paper == "rgb(19, 22, 26)"


def test_other_sites_are_not_answered_by_page_or_socket(address: str) -> None:
    for path in ("/", "/_nicegui_ws/socket.io/?EIO=4&transport=polling"):
        request = urllib.request.Request(address + path)
        request.add_header("Origin", "https://example.org")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        assert refused.value.code == 403
        assert "not this machine" in json.load(refused.value)["error"]
