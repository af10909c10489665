"""The part of the page with the image that the policy sees, to draw a plan into."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import ui
from nicegui.events import GenericEventArguments

from envs.records import Reference
from envs.scene import Scene
from envs.video.drawing import BOX, EXPERT, PATH
from policy.playground.api import encode_image
from policy.playground.page.overlay import LIFTED, draw_overlay, write_css
from policy.playground.page.sketch import Pen, Point, Sketch

# A pointer that merely passes over the image says nothing.
TELL = "(e) => (e.mouse_event_type !== 'pointermove' || e.buttons) && emit(e)"
# A drag goes on outside of the image, and ends there.
CAPTURE = """<script>document.addEventListener("pointerdown", (e) => {
  if (e.target.matches(".board img")) e.target.setPointerCapture(e.pointerId);
});</script>"""
LEGEND = {"box": BOX, "path": PATH, "expert": EXPERT, "hand, lifted": LIFTED}


class Board:
    """Image, drawing tools and what they drew.

    Args:
        on_drawn: Called when a person has drawn something.
    """

    def __init__(self, on_drawn: Callable[[], None]) -> None:
        self.pen = Pen()
        self._on_drawn = on_drawn
        self._size = (1, 1)
        self._lifted: Sequence[Point] = ()
        self._expert: Reference | None = None
        ui.add_body_html(CAPTURE)
        events = ["pointerdown", "pointermove", "pointerup", "pointercancel"]
        self._image = ui.interactive_image(events=events, sanitize=False)
        self._image.classes("board").on("mouse", self._handle, js_handler=TELL)
        self._add_tools()
        with ui.element("div").classes("legend"):
            for name, colour in LEGEND.items():
                ui.label(name).style(f"--colour: {write_css(colour)}")

    def show(self, scene: Scene) -> None:
        """Shows a scene, with nothing drawn."""
        height, width = scene.observation.image.shape[:2]
        self._size, self._expert = (width, height), scene.reference
        self._hint.set_visibility(scene.reference is not None)
        self._image.set_source(encode_image(scene.observation.image))
        self.pen.forget()
        self.show_lifted(())

    def draw(self, sketch: Sketch) -> None:
        """Draws what somebody else has said."""
        self.pen.replace(sketch)
        self.show_lifted(())

    def show_lifted(self, path: Sequence[Point]) -> None:
        """Shows the hand's path in the world."""
        self._lifted, self._tool.value = path, self.pen.tool
        self._paint()

    def _add_tools(self) -> None:
        with ui.element("div").classes("tools"):
            tools = {"box": "1 · drag a box", "path": "2 · click a path"}
            self._tool = ui.toggle(tools, on_change=self._choose)
            self._tool.props("dense no-caps unelevated")
            self._add_button("undo", "undo", self.pen.undo)
            self._add_button("delete_outline", "clear", self._clear)
            self._hint = ui.switch("expert", on_change=self._paint).props("dense")

    def _add_button(self, icon: str, label: str, act: Callable[[], None]) -> None:
        def press() -> None:
            act()
            self._drew()

        button = ui.button(icon=icon, on_click=press).props("flat round dense")
        button.props(f'aria-label="{label}"').tooltip(label)

    def _choose(self) -> None:
        self.pen.tool = self._tool.value

    def _clear(self) -> None:
        self.pen.replace(Sketch())
        self.pen.tool = "box"

    def _handle(self, event: GenericEventArguments) -> None:
        said, pen = event.args, self.pen
        point = (said["image_x"] / self._size[0], said["image_y"] / self._size[1])
        kind = said["mouse_event_type"]
        if kind == "pointerdown" and said["button"] == 0:
            pen.press(point)
        elif kind == "pointermove":
            return self._paint(pen.drag(point))
        elif kind == "pointerup":
            pen.release(point)
        else:
            pen.start = None
        self._drew()

    def _drew(self) -> None:
        self.show_lifted(())
        self._on_drawn()

    def _paint(self, sketch: object = None) -> None:
        shown = sketch if isinstance(sketch, Sketch) else self.pen.sketch
        expert = self._expert if self._hint.value else None
        self._image.content = draw_overlay(self._size, shown, self._lifted, expert)
