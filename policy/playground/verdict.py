"""The part of the page that shows what came of an answer."""

from __future__ import annotations

from nicegui import ui

from policy.playground.attempt import Attempt


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
            self._say("failure", f"Failed: {outcome.reason.replace('_', ' ')}", note)
        self._stage.clear()
        with self._stage:
            if film:
                ui.video(film, autoplay=True, muted=True, loop=True).classes("film")
            else:
                ui.icon("block").classes("waiting")
                ui.label("The arm did not move: there was nothing to execute.")
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
