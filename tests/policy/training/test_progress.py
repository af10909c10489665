import io

import pytest
from rich.console import Console

from policy.training.progress import SHOWN, Screen, spell_rate


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0  # s

    def __call__(self) -> float:
        return self.now


def test_where_there_is_no_terminal_lines_tell_rate_and_time_left():
    said, clock = io.StringIO(), Clock()
    screen = Screen(Console(file=said, width=200, get_time=clock))
    with screen.task("evaluating before", 1000) as bar:
        for done in range(10, 60, 10):
            clock.now += 12
            screen.move(bar, done)
    [line] = said.getvalue().splitlines()  # in a minute: one every 30 s at most
    assert line == "evaluating before: 30 of 1000, 1.2 s each, 0:19:24 left"


def test_a_terminal_shows_how_fast_it_goes():
    said, clock = io.StringIO(), Clock()
    console = Console(file=said, force_terminal=True, width=120, get_time=clock)
    screen = Screen(console)
    with screen.task("training", 4) as bar:
        for done in range(1, 5):
            clock.now += 0.5
            screen.move(bar, done)
        screen._progress.refresh()  # what a thread does ten times a second
    assert "training" in said.getvalue() and "2.0/s" in said.getvalue()


def test_a_step_of_which_nothing_was_executed_shows_no_success():
    said, known = io.StringIO(), dict.fromkeys(SHOWN, 0.5)
    screen = Screen(Console(file=said, width=200))
    with screen.task("training", 20) as bar:
        screen.show_step(bar, {**known, "step": 10})
        screen.show_step(bar, {**known, "success": 0.0, "step": 11})
        del known["success"]
        screen.show_step(bar, {**known, "reward": 0.0, "step": 20})
    first, last = said.getvalue().splitlines()
    assert first.startswith("step 10: success 0.500 reward 0.500 ")
    assert last.startswith("step 20: success 0.450 reward 0.450 ")


def test_a_quiet_screen_says_nothing(capsys):
    screen = Screen(quiet=True)
    with screen.task("evaluating", 2) as bar:
        screen.move(bar, 2)
    screen.say("a line")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("speed", "words"), [(12.34, "12.3/s"), (0.25, "4.0 s each")])
def test_slow_work_is_told_in_seconds(speed, words):
    assert spell_rate(speed) == words
