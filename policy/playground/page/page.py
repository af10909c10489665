"""The page: choose a scene, draw or write an answer, execute it, look, try again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import ui

from envs.scene import Scene, SceneConfig
from policy.playground.api import FILM_URL
from policy.playground.page.board import Board
from policy.playground.page.chooser import Chooser
from policy.playground.page.sketch import read_sketch
from policy.playground.page.verdict import Verdict
from policy.playground.queue import BusyError
from policy.playground.session import Session
from policy.playground.wire import MAX_TEXT, MAX_WORDS

STYLE = Path(__file__).with_name("style.css")
BY_HAND = "hand"


class Page:
    """What one browser tab shows.

    Args:
        session: What it does.
        start: The first scene.
        policies: What can be let answer.
        saved_to: Where attempts are saved, as the user is told.
    """

    def __init__(
        self,
        session: Session,
        start: SceneConfig,
        policies: tuple[str, ...],
        saved_to: str,
    ) -> None:
        self._session, self._saved_to = session, saved_to
        self._by = BY_HAND
        self._one_thing = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any] | None] = set()
        ui.context.client.on_delete(self._leave)
        ui.add_css(STYLE)
        self._add_top()
        self._chooser = Chooser(start, self.start)
        with ui.element("div").classes("halves"):
            with ui.element("section").classes("question"):
                self._add_instruction()
                self._board = Board(self._take_drawing)
                self._add_answer(policies)
            with ui.element("div").classes("outcome"):
                self._verdict = Verdict()
                self._add_next()

    async def start(self) -> None:
        """Shows the scene that is chosen."""
        await self._do(self._load)

    def _add_top(self) -> None:
        self._dark = ui.dark_mode(None)
        with ui.element("header").classes("top"):
            ui.label("Graspo").classes("name")
            ui.label("playground").classes("what")
            icon = ui.button(icon="contrast", on_click=self._change_light)
            icon.props('flat round dense aria-label="light or dark"')
        self._progress = ui.linear_progress(show_value=False).classes("progress")
        self._progress.props("indeterminate size=3px")

    def _add_instruction(self) -> None:
        self._words = ui.input("instruction").classes("instruction")
        self._words.props(f"outlined maxlength={MAX_WORDS}")
        ask = partial(self._do, self._ask)
        self._words.on("keydown.enter", ask).on("blur", ask)
        self._others = ui.element("div").classes("others")

    def _add_answer(self, policies: tuple[str, ...]) -> None:
        self._text = ui.textarea("answer", on_change=self._take_text)
        self._text.props(f"outlined autogrow spellcheck=false maxlength={MAX_TEXT}")
        self._text.classes("answer")
        with ui.element("div").classes("actions"):
            self._policy = ui.select(list(policies), value=policies[0], label="policy")
            self._policy.props("outlined dense options-dense").classes("policy")
            self._button("let it answer", "psychology", self._let_answer, "outline")
            self._button("execute", "play_arrow", self._execute).classes("execute")

    def _add_next(self) -> None:
        with ui.element("div").classes("next"):
            again = self._button("try again", "replay", self._try_again, "outline")
            again.tooltip("from the new image, as the arm left things")
            save = self._button("save", "save_alt", self._save, "outline")
            save.tooltip(f"into {self._saved_to}")
            self._turn = ui.label().classes("turn")
        self._again, self._save_button = again, save

    def _button(
        self,
        label: str,
        icon: str,
        work: Callable[[], Awaitable[None]],
        look: str = "unelevated",
    ) -> ui.button:
        button = ui.button(label, icon=icon, on_click=partial(self._do, work))
        return button.props(f"no-caps {look}")

    async def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does one thing after the other; what cannot be done is said."""
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            async with self._one_thing:
                self._progress.set_visibility(True)
                await work()
        except (ValueError, RuntimeError, OSError, BusyError) as error:
            ui.notify(str(error), type="negative", multi_line=True)
        finally:
            self._tasks.discard(task)
            self._progress.set_visibility(bool(self._tasks))

    def _leave(self) -> None:
        """The tab has been closed: nobody waits for what is being done."""
        for task in self._tasks:
            if task is not None:
                task.cancel()

    async def _load(self) -> None:
        self._show(await self._session.load(self._chooser.read()))

    async def _ask(self) -> None:
        words = " ".join((self._words.value or "").split())
        if words and words != self._session.get_scene().instruction:
            self._show_words(await self._session.ask(words))

    async def _let_answer(self) -> None:
        await self._ask()
        name = self._policy.value
        self._text.value = await self._session.answer(name)
        self._by = name

    async def _execute(self) -> None:
        await self._ask()
        self._verdict.wait("The arm moves ...")
        try:
            film = await self._session.execute(self._text.value or "", self._by)
        except Exception:
            self._verdict.clear()  # or the arm would move for ever
            raise
        attempt = self._session.attempt
        assert attempt is not None
        judged = self._session.judged_as
        note = f"judged as: {judged}" if judged else ""
        self._verdict.show(attempt, film and FILM_URL.format(film), note)
        self._board.show_lifted(attempt.lifted)
        self._show_turn()

    async def _try_again(self) -> None:
        self._show(await self._session.try_again())

    async def _save(self) -> None:
        count = self._session.save()
        ui.notify(f"{count} saved: {self._saved_to}", type="positive")

    def _show(self, scene: Scene) -> None:
        self._text.value, self._by = "", BY_HAND
        self._board.show(scene)
        self._verdict.clear()
        self._show_words(scene)
        self._show_turn()

    def _show_words(self, scene: Scene) -> None:
        self._words.value = scene.instruction
        self._others.clear()
        with self._others:
            for goal in scene.others:
                ask = partial(self._take_words, goal.instruction)
                chip = ui.chip(goal.instruction, on_click=ask).props("outline")
                chip.props("dense").tooltip("ask for this instead")

    def _show_turn(self) -> None:
        session = self._session
        self._turn.text = f"turn {session.turn} of {session.max_turns}"
        self._again.set_enabled(session.can_go_on)
        self._save_button.set_enabled(session.attempt is not None)

    async def _take_words(self, words: str) -> None:
        self._words.value = words
        await self._do(self._ask)

    def _take_drawing(self) -> None:
        self._by = BY_HAND
        self._text.value = self._board.pen.sketch.to_text()

    def _take_text(self) -> None:
        """What is written is drawn, too; what was drawn is written already."""
        text = self._text.value or ""
        if text != self._board.pen.sketch.to_text():
            self._by = BY_HAND
            self._board.draw(read_sketch(text))

    def _change_light(self) -> None:
        self._dark.value = not self._dark.value
