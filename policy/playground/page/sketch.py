"""A plan while it is being drawn: a box by dragging, waypoints by clicking."""

from __future__ import annotations

from dataclasses import dataclass, field

from envs.answer import NORMALIZED, PARSERS, format_answer
from envs.records import Affordance, ParseFailure, Plan, Trajectory

Point = tuple[float, ...]
Box = tuple[float, float, float, float]
SMALLEST = 0.004  # of the image: what is dragged less far was a click


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """What has been drawn, in image units.

    Attributes:
        box: The box, if there is one.
        waypoints: The path so far.
    """

    box: Box | None = None
    waypoints: tuple[Point, ...] = ()

    def with_box(self, start: Point, end: Point) -> Sketch:
        """With the box between two corners; a click alone draws none."""
        (x1, x2), (y1, y2) = (sorted(pair) for pair in zip(start[:2], end[:2]))
        if x2 - x1 < SMALLEST or y2 - y1 < SMALLEST:
            return self
        return Sketch(box=(x1, y1, x2, y2), waypoints=self.waypoints)

    def with_waypoint(self, point: Point) -> Sketch:
        """With one waypoint more."""
        return Sketch(box=self.box, waypoints=(*self.waypoints, point))

    def to_text(self) -> str:
        """The answer that says so, "" for nothing."""
        if self.box and self.waypoints:
            return format_answer(Plan(box=self.box, waypoints=self.waypoints))
        if self.box:
            return format_answer(Affordance(box=self.box))
        if self.waypoints:
            return format_answer(Trajectory(waypoints=self.waypoints))
        return ""


def read_sketch(text: str) -> Sketch:
    """Returns what can be drawn of a text."""
    for parse in PARSERS.values():
        answer = parse(text, NORMALIZED)
        if not isinstance(answer, ParseFailure):
            return Sketch(
                box=getattr(answer, "box", None),
                waypoints=getattr(answer, "waypoints", ()),
            )
    return Sketch()


@dataclass(slots=True)
class Pen:
    """Draws one sketch after the other, and takes back.

    Attributes:
        tool: "box" or "path": what is drawn next.
        sketch: What has been drawn.
        start: Where the drag began that is going on.
    """

    tool: str = "box"
    sketch: Sketch = field(default_factory=Sketch)
    start: Point | None = None
    _before: list[Sketch] = field(default_factory=list)

    def press(self, point: Point) -> None:
        """The pointer goes down: a waypoint, or the first corner of a box."""
        if self.tool == "path":
            self.replace(self.sketch.with_waypoint(_keep_inside(point)))
        else:
            self.start = _keep_inside(point)

    def drag(self, point: Point) -> Sketch:
        """The pointer moves; returns what would be drawn if it stopped here."""
        if self.start is None:
            return self.sketch
        return self.sketch.with_box(self.start, _keep_inside(point))

    def release(self, point: Point) -> None:
        """The pointer goes up; after a box usually comes the path."""
        drawn = self.drag(point)
        self.start = None
        if drawn != self.sketch:
            self.replace(drawn)
            if not drawn.waypoints:
                self.tool = "path"

    def replace(self, sketch: Sketch) -> None:
        """Draws something else, which can be taken back."""
        if sketch != self.sketch:
            self._before.append(self.sketch)
            self.sketch = sketch

    def undo(self) -> None:
        """Takes the last stroke back; the tool is the one that it was drawn with."""
        if self._before:
            undone, self.sketch = self.sketch, self._before.pop()
            self.tool = "box" if undone.box != self.sketch.box else "path"

    def forget(self) -> None:
        """Starts anew, with a box."""
        self.sketch, self.tool, self.start = Sketch(), "box", None
        self._before.clear()


def _keep_inside(point: Point) -> Point:
    return tuple(min(max(value, 0.0), 1.0) for value in point)
