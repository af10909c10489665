"""What is drawn is what is written, and the other way round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.playground.page.overlay import draw_overlay
from policy.playground.page.sketch import Pen, Sketch, read_sketch

UNIT = st.floats(0, 1)
POINT = st.tuples(UNIT, UNIT)
STROKES = st.lists(st.tuples(st.sampled_from(["box", "path"]), POINT, POINT))


def draw(pen: Pen, tool: str, start: tuple, end: tuple) -> None:
    pen.tool = tool
    pen.press(start)
    pen.release(end)


@given(STROKES)
def test_what_is_drawn_can_be_read_from_its_text(strokes: list) -> None:
    pen = Pen()
    for stroke in strokes:
        draw(pen, *stroke)
    found = read_sketch(pen.sketch.to_text())
    path = pen.sketch.waypoints
    if pen.sketch.box is not None:
        assert found.box == pytest.approx(pen.sketch.box, abs=0.0011)
    # Other numbers of waypoints are no path: whoever executes them is told.
    if 3 <= len(path) <= 10:
        for one, other in zip(found.waypoints, path, strict=True):
            assert one == pytest.approx(other, abs=0.0006)


@given(STROKES)
def test_each_stroke_can_be_taken_back(strokes: list) -> None:
    pen, seen = Pen(), []
    for stroke in strokes:
        before = pen.sketch
        draw(pen, *stroke)
        if pen.sketch != before:
            seen.append(before)
    while seen:
        pen.undo()
        assert pen.sketch == seen.pop()
    pen.undo()
    assert pen.sketch == Sketch()


def test_after_the_box_comes_the_path_and_after_undo_the_box() -> None:
    pen = Pen()
    pen.press((0.6, 0.7))
    assert pen.drag((0.2, 0.3)).box == (0.2, 0.3, 0.6, 0.7)
    assert pen.sketch == Sketch()  # not before the pointer is released
    pen.release((0.2, 0.3))
    assert pen.tool == "path"
    pen.undo()
    assert pen.tool == "box"


def test_a_click_draws_no_box_and_a_drag_ends_at_the_edge() -> None:
    pen = Pen()
    draw(pen, "box", (0.5, 0.5), (0.5, 0.5))
    assert pen.sketch.box is None and pen.tool == "box"
    draw(pen, "box", (0.5, 0.5), (1.7, -3.0))
    assert pen.sketch.box == (0.5, 0.0, 1.0, 0.5)


def test_the_overlay_stands_where_the_sketch_does() -> None:
    sketch = Sketch(box=(0.25, 0.5, 0.75, 1.0), waypoints=((0.5, 0.5), (0.5, 0.25)))
    drawn = draw_overlay((224, 112), sketch, lifted=((0.0, 0.0), (1.0, 1.0)))
    assert 'x="56.0" y="56.0" width="112.00" height="56.00"' in drawn
    assert 'points="112.0,56.0 112.0,28.0"' in drawn
    assert 'points="0.0,0.0 224.0,112.0"' in drawn
