import io
import time

import pytest
from rich.console import Console

from policy.training import progress
from policy.training.progress import Screen, spell_rate


def test_where_there_is_no_terminal_lines_tell_rate_and_time_left(monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.05)
    said = io.StringIO()
    screen = Screen(Console(file=said, width=200))
    with screen.task("evaluating before", 1000) as bar:
        for done in range(10, 60, 10):
            time.sleep(0.02)
            screen.move(bar, done)
    lines = said.getvalue().splitlines()
    assert 1 <= len(lines) < 5
    assert all(line.startswith("evaluating before: ") for line in lines)
    assert " of 1000, " in lines[-1]
    assert "/s, 0:00:0" in lines[-1] and lines[-1].endswith(" left")


def test_a_terminal_shows_how_fast_it_goes():
    said = io.StringIO()
    screen = Screen(Console(file=said, force_terminal=True, width=120))
    with screen.task("training", 4) as bar:
        for done in range(1, 5):
            time.sleep(0.15)
            screen.move(bar, done)
    assert "training" in said.getvalue() and "/s" in said.getvalue()


def test_a_quiet_screen_says_nothing(capsys):
    screen = Screen(quiet=True)
    with screen.task("evaluating", 2) as bar:
        screen.move(bar, 2)
    screen.say("a line")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("speed", "words"), [(12.34, "12.3/s"), (0.25, "4.0 s each")])
def test_slow_work_is_told_in_seconds(speed, words):
    assert spell_rate(speed) == words
