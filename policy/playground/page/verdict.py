"""The part of the page that shows what came of an answer."""

from __future__ import annotations

from nicegui import ui

from envs.answer import MAX_WAYPOINTS, MIN_WAYPOINTS
from policy.playground.attempt import Attempt

# What a first-time visitor meets before the arm has moved; see `envs.answer` and
# `envs.execution`. What went wrong in a scene its own reasons say.
HINTS = {
    "empty": "There is no answer yet: draw one, write one, or let a policy answer.",
    "no_answer": "The text has no box and no path in it.",
    "several_answers": "The text has more than one answer in it.",
    "not_json": "The answer cannot be read: is a bracket or a comma missing?",
    "wrong_keys": "An answer needs both: a box and a path.",
    "not_numbers": "Something else stands where a number belongs.",
    "wrong_size": "A box has four numbers, a point two.",
    "wrong_count": f"A path has {MIN_WAYPOINTS} to {MAX_WAYPOINTS} points.",
    "empty_box": "The box has no area.",
    "outside_image": "A number is beyond the edge of the image, 0 to 1000.",
    "nothing_in_box": "Nothing that stands on the table is in the box.",
    "starts_off_the_box": "The path has to start on what the box shows.",
    "off_the_scene": "The path leads to where nothing is.",
    "unreachable": "The path leads out of the arm's reach.",
}
# On a telephone it is below what was pressed.
COME = """const line = document.querySelector(".verdict");
if (line.getBoundingClientRect().top > 0.8 * innerHeight)
  line.scrollIntoView({behavior: "smooth"});"""


class Verdict:
    """Verdict, film and reward."""

    def __init__(self) -> None:
        with ui.element("section").classes("verdict") as self._panel:
            self._line = ui.label().classes("line")
            self._note = ui.label().classes("note")
            self._stage = ui.element("div").classes("stage")
            self._terms = ui.element("div").classes("terms")
        self.clear()

    def clear(self) -> None:
        """Says what can be done."""
        self._say("", "Nothing executed yet", "")
        self._stage.clear()
        self._terms.clear()
        with self._stage:
            ui.icon("precision_manufacturing").classes("waiting")
            ui.label(
                "Drag a box around the part to touch. Then click where the hand goes: "
                "the first point on that part, at least three points in all."
            )

    def wait(self, what: str) -> None:
        """Says what is being done."""
        self._say("busy", what, "")
        self._stage.clear()
        self._terms.clear()
        with self._stage:
            ui.spinner(size="lg")
        ui.run_javascript(COME)

    def show(self, attempt: Attempt, film: str, note: str) -> None:
        """Shows what came of an answer.

        Args:
            attempt: It.
            film: URL of its film, "" where nothing moved.
            note: What else there is to say.
        """
        outcome = attempt.outcome
        if outcome.success:
            self._say("success", "Success", note)
        else:
            hint = " ".join(filter(None, [HINTS.get(outcome.reason), note]))
            self._say("failure", f"Failed: {outcome.reason.replace('_', ' ')}", hint)
        self._stage.clear()
        with self._stage:
            if film:
                ui.video(film, autoplay=True, muted=True, loop=True).classes("film")
            else:
                ui.icon("block").classes("waiting")
                ui.label("The arm did not move.")
        self._terms.clear()
        with self._terms:
            self._add_term("reward", attempt.reward.total).classes("total")
            for name, value in attempt.reward.terms.items():
                self._add_term(name.replace("_", " "), value)

    def _say(self, state: str, line: str, note: str) -> None:
        self._panel.classes(replace=f"verdict {state}")
        self._line.text, self._note.text = line, note
        self._note.set_visibility(bool(note))

    def _add_term(self, name: str, value: float) -> ui.element:
        with ui.element("div").classes("term") as row:
            ui.label(name)
            ui.element("div").classes("bar").style(f"--share: {value:.3f}")
            ui.label(f"{value:.2f}").classes("number")
        return row
