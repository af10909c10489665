"""The answer grammar: text and plans are inverses, and any text is data."""

from __future__ import annotations

import gc
import itertools
import json
import time
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from envs.answer import (
    MAX_HEIGHT,
    NORMALIZED,
    PARSE_FAILURES,
    PARSERS,
    Codec,
    format_answer,
    parse_affordance,
    parse_answer,
    parse_trajectory,
)
from envs.records import Affordance, ParseFailure, Plan, Reference, Trajectory

PIXELS = Codec(644, 476)
BOX = "[100, 200, 300, 400]"
PATH = "[[100, 200], [150, 250], [200, 300]]"
OBJECT = f'{{"affordance": {BOX}, "trajectory": {PATH}}}'
TEXT = f"<think>by the handle</think><answer>{OBJECT}</answer>"

unit = st.floats(0, 1)
thoughts = st.text(max_size=30).map(lambda text: text.replace("<", "").strip())
codecs = st.sampled_from([NORMALIZED, PIXELS, Codec(28, 28), Codec(1, 1)])


def given(**arguments):
    """Hypothesis' `given`: the same 200 examples each time, on any machine."""
    fixed = hypothesis.settings(deadline=None, max_examples=200, derandomize=True)
    return lambda test: fixed(hypothesis.given(**arguments)(test))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan inside the image, thin boxes and equal waypoints included."""
    corners = st.lists(unit, min_size=2, max_size=2, unique=True).map(sorted)
    (x1, x2), (y1, y2) = draw(corners), draw(corners)
    point = (unit, unit, st.floats(0, MAX_HEIGHT))[: draw(st.sampled_from([2, 3]))]
    path = draw(st.lists(st.tuples(*point), min_size=3, max_size=10))
    return Plan(box=(x1, y1, x2, y2), waypoints=tuple(path), thought=draw(thoughts))


words = st.text(max_size=12).map(lambda text: text.replace("<", ""))
"""Any but tags: brackets, braces, quotes and digits included."""


@st.composite
def spellings(draw: st.DrawFn, plan: Plan, codec: Codec) -> Any:
    """What a pretrained model may write for a plan, as an object or a list of some."""
    written = json.loads(format_answer(plan, codec).split("answer>")[1][:-2])
    number = draw(st.sampled_from([int, float]))
    labels = st.dictionaries(st.sampled_from(["label", "role"]), words)

    def spell(numbers: list[int], key: str) -> Any:
        numbers = [number(n) for n in numbers]
        return draw(st.sampled_from([numbers, {key: numbers} | draw(labels)]))

    box = spell(written["affordance"], "bbox_2d")
    box = draw(st.sampled_from([box, [box]]))
    path = [spell(point, "point_2d") for point in written["trajectory"]]
    whole = {"affordance": box, "trajectory": path} | draw(labels)
    backwards = dict(reversed(whole.items()))
    spread = [{"trajectory": path}, {"affordance": box}]
    typed = [{"bbox_2d": written["affordance"]} | draw(labels)]
    typed += [{"point_2d": point} | draw(labels) for point in written["trajectory"]]
    return draw(st.sampled_from([whole, backwards, [whole], spread, typed]))


def wrap(content: Any) -> st.SearchStrategy[str]:
    """The ways in which a model may present JSON."""
    text = json.dumps(content)
    indented = json.dumps(content, indent=1, ensure_ascii=False)
    fenced = f"```json\n{indented}\n```"
    around = f"The mug is red.\n{fenced}\nDone!"
    tagged = f"<think>so</think>\n<answer>{fenced}</answer>"
    cut = f"<think>so</think><answer>{text}"
    return st.sampled_from([text, indented, fenced, around, tagged, cut])


def read(text: str, codec: Codec = NORMALIZED) -> Plan:
    plan = parse_answer(text, codec)
    assert isinstance(plan, Plan), plan
    return plan


def read_numbers(text: str, asked: str = "plan") -> list[list[float]]:
    """The numbers of each part of an answer, from where the part is said to stand."""
    parts = PARSERS[asked](text, NORMALIZED).parts
    return [[float(n) for n in text[p.start : p.end].split(",")] for p in parts]


@given(plan=plans(), codec=codecs)
def test_every_plan_survives_text_up_to_rounding(plan: Plan, codec: Codec):
    back = read(format_answer(plan, codec), codec)
    assert back.well_formed and back.thought == plan.thought
    scale = (codec.width, codec.height, 1000)
    for point, point_back in zip(plan.waypoints, back.waypoints, strict=True):
        for a, b, s in zip(point, point_back, scale, strict=False):
            assert abs(a - b) * s <= 0.5 + 1e-9
    for a, b, s in zip(plan.box, back.box, scale[:2] * 2, strict=True):
        assert abs(a - b) * s <= 1 + 1e-9


@given(plan=plans(), codec=codecs)
def test_a_box_wider_than_a_unit_is_off_by_half_a_unit_at_most(plan, codec):
    x1, _, x2, _ = plan.box
    back = read(format_answer(plan, codec), codec)
    if (x2 - x1) * codec.width > 1.001:
        assert abs(back.box[0] - x1) * codec.width <= 0.5 + 1e-9
        assert abs(back.box[2] - x2) * codec.width <= 0.5 + 1e-9


@given(plan=plans(), codec=codecs)
def test_text_survives_a_plan_exactly(plan: Plan, codec: Codec):
    text = format_answer(plan, codec)
    assert format_answer(read(text, codec), codec) == text


@given(low=unit, codec=codecs)
def test_rounding_never_closes_a_thin_box(low: float, codec: Codec):
    high = min(1.0, low + 1e-6)
    low = high - 1e-6
    plan = Plan(box=(low, low, high, high), waypoints=((0.0, 0.0),) * 3)
    x1, y1, x2, y2 = read(format_answer(plan, codec), codec).box
    assert x1 < x2 and y1 < y2


def test_the_text_is_exactly_the_documented_one():
    assert format_answer(read(TEXT)) == TEXT
    assert read(TEXT).box == (0.1, 0.2, 0.3, 0.4)


def test_heights_are_millimetres_in_text_and_metres_in_plans():
    text = TEXT.replace(PATH, "[[1, 2, 50], [3, 4, 120], [5, 6, 1000]]")
    assert [point[2] for point in read(text).waypoints] == [0.05, 0.12, 1.0]
    assert read(text).well_formed


@given(text=st.text())
def test_any_text_is_a_plan_or_a_typed_failure(text: str):
    answer = parse_answer(text)
    assert isinstance(answer, Plan) or answer.reason in PARSE_FAILURES


PIECES = ["<think>", "</think>", "<answer>", "</answer>", "{", "}", "[", "]", ",", ":"]
PIECES += ['"affordance"', '"trajectory"', "1", "-1", "0.5", "1e999", "NaN", "true"]
PIECES += ['"bbox_2d": ', '{"point_2d": [1, 2]}', '"label": "a [1, 2] {3}"', ", "]
PIECES += [
    "null",
    '"1"',
    "\\",
    "```json\n",
    " ",
    BOX,
    PATH,
    OBJECT,
    TEXT,
    "杯",
    "\ud800",
]


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_any_mixture_of_the_grammars_own_pieces_is_read_or_refused(pieces: list[str]):
    text = "".join(pieces)
    for parse in PARSERS.values():
        answer = parse(text, NORMALIZED)
        if isinstance(answer, ParseFailure):
            assert answer.reason in PARSE_FAILURES
            answer.detail.encode()
        else:
            count = hasattr(answer, "box") + len(getattr(answer, "waypoints", ()))
            assert len(answer.parts) == count


@given(at=st.integers(0, len(TEXT) - 1), new=st.text(max_size=3))
def test_a_damaged_answer_is_read_or_refused(at: int, new: str):
    for parse in PARSERS.values():
        answer = parse(TEXT[:at] + new + TEXT[at + 1 :], NORMALIZED)
        assert hasattr(answer, "thought") or answer.reason in PARSE_FAILURES


POINT = "[1, 2]"
BAD = {
    "empty": ["", " \n\t "],
    "no_answer": ["I cannot see a mug.", "<think>hm</think><answer></answer>"],
    "several_answers": [
        TEXT + TEXT,
        OBJECT + OBJECT,
        f"<answer>{OBJECT} or {OBJECT}</answer>",
        f"<answer>{OBJECT}</answer><answer>none</answer>",
        OBJECT.replace('"trajectory"', '"affordance": [1, 2, 3, 4], "trajectory"'),
        OBJECT.replace('"trajectory"', r'"\u0061ffordance": [], "trajectory"'),
        OBJECT.replace('"trajectory"', '"bbox_2d": [1, 2, 3, 4], "trajectory"'),
        OBJECT.replace('"trajectory"', '"point_2d": [1, 2], "trajectory"'),
        OBJECT.replace(BOX, f"[{BOX}, {BOX}]"),
        OBJECT.replace(BOX, f'[{{"bbox_2d": {BOX}}}, {{"bbox_2d": {BOX}}}]'),
        OBJECT.replace(BOX, f'{{"bbox_2d": {BOX}, "bbox_2d": {BOX}}}'),
        f"[{OBJECT}, {OBJECT}]",
        f"{OBJECT}\n{OBJECT[:40]}",
    ],
    "not_json": [
        TEXT[:-15],
        TEXT.replace("[100", "[0100"),
        TEXT.replace("100", "١٠٠"),
        TEXT.replace(BOX, "[" * 50_000 + "]" * 50_000),
        TEXT.replace(BOX, '{"a":' * 20_000 + "}"),
        TEXT.replace(BOX, "["),
        f"[{OBJECT}",
        f"[{OBJECT}, ",
        f'[{{"bbox_2d": {BOX}}}' + ', {"point_2d": [1, 2]}' * 3 + ', {"point_2d": [3',
    ],
    "wrong_keys": [
        TEXT.replace("affordance", "box"),
        TEXT.replace('"trajectory"', '"note": 1, "trajectory"'),
        f'{{"affordance": {BOX}}}',
        f'{{"answer": {OBJECT}}}',
        f"[{OBJECT}, 1, {{}}]",
        "<answer>{}</answer>",
        TEXT.replace(BOX, '{"x1": 1, "y1": 2, "x2": 3, "y2": 4}'),
        TEXT.replace(BOX, f'{{"bbox_2d": {BOX}, "score": 0.5}}'),
        TEXT.replace(BOX, '{"a":' * 400 + "1" + "}" * 400),
    ],
    "not_numbers": [
        *(
            TEXT.replace("100", bad)
            for bad in ("NaN", "1e999", "-Infinity", "9" * 9999)
        ),
        *(TEXT.replace("100", bad) for bad in ('"100"', "true", "null", "[100]", "{}")),
        *(TEXT.replace(BOX, bad) for bad in ("null", '"1 2 3 4"', "7", f"[[{BOX}]]")),
        *(TEXT.replace(PATH, bad) for bad in ("null", '"right"', "7", "[1, 2, 3]")),
        TEXT.replace(BOX, "[" * 400 + "]" * 400),
        TEXT.replace(PATH, "[100, 200, 150, 250, 200, 300]"),
    ],
    "wrong_size": [
        TEXT.replace(BOX, "[]"),
        TEXT.replace(BOX, "[1, 2, 3]"),
        TEXT.replace(BOX, "[1, 2, 3, 4, 5]"),
        TEXT.replace(BOX, "[[1, 2], [3, 4]]"),
        TEXT.replace(PATH, "[[1, 2], [3], [5, 6]]"),
        TEXT.replace(PATH, "[[1, 2, 3], [3, 4], [5, 6, 7]]"),
        TEXT.replace(PATH, "[[1, 2, 3, 4], [3, 4, 5, 6], [5, 6, 7, 8]]"),
    ],
    "wrong_count": [
        TEXT.replace(PATH, "[" + ", ".join([POINT] * n) + "]")
        for n in (0, 1, 2, 11, 500)
    ],
    "empty_box": [
        TEXT.replace(BOX, bad)
        for bad in (
            "[300, 200, 100, 400]",
            "[1, 4, 3, 4]",
            "[1, 2, 1, 4]",
            "[0, 0, 0, 0]",
        )
    ],
    "outside_image": [
        TEXT.replace("100", "-1"),
        TEXT.replace("400", "1001"),
        TEXT.replace("[200, 300]", "[200, 1000.5]"),
        TEXT.replace("100", "1e300"),
    ],
    "height_out_of_range": [
        TEXT.replace(PATH, "[[1, 2, -1], [3, 4, 5], [5, 6, 7]]"),
        TEXT.replace(PATH, "[[1, 2, 3], [3, 4, 5], [5, 6, 1001]]"),
    ],
}


@pytest.mark.parametrize("reason", PARSE_FAILURES)
def test_each_kind_of_bad_text_has_its_reason(reason: str):
    for text in BAD[reason]:
        answer = parse_answer(text)
        assert isinstance(answer, ParseFailure), text
        assert answer.reason == reason, (text[:200], answer)
        assert len(answer.detail) <= 80 and answer.detail.isascii()


@pytest.mark.parametrize(
    "text",
    [
        OBJECT,
        f"Sure! Here it is: {OBJECT} Good luck.",
        f"```json\n{OBJECT}\n```",
        f"<think>a</think><answer>```json\n{OBJECT}\n```</answer>",
        f"<think>a</think>{OBJECT}",
        f"<answer>{OBJECT}</answer>",
        f"<think>a</think><answer>{OBJECT}",
        f"<think>maybe {OBJECT}</think><answer>{OBJECT}</answer>",
        f"杯子 {TEXT}",
        TEXT.replace("100", "100.4"),
        TEXT.replace("100", "1e2"),
        f'<answer>{{"trajectory": {PATH}, "affordance": {BOX}}}</answer>',
    ],
)
def test_a_plan_is_read_from_a_text_that_is_not_well_formed(text: str):
    well_formed = text.startswith("<think>maybe")
    assert read(text).well_formed == well_formed
    expected, plan = read(TEXT), read(text)
    assert plan.waypoints[1:] == expected.waypoints[1:]
    assert [text[p.start : p.end] for p in read(text).parts][2:] == [
        "150, 250",
        "200, 300",
    ]


@given(data=st.data(), plan=plans(), codec=codecs)
def test_every_way_to_spell_a_plan_gives_the_plan(data, plan: Plan, codec: Codec):
    strict = format_answer(plan, codec)
    text = data.draw(wrap(data.draw(spellings(plan, codec))))
    back = read(text, codec)
    assert not back.well_formed
    expected = read(strict, codec)
    assert (back.box, back.waypoints) == (expected.box, expected.waypoints)
    assert read_numbers(text) == read_numbers(strict)


def test_what_qwen_says_is_read():
    box = f'{{"bbox_2d": {BOX}, "label": "handle of the 2nd [red] mug"}}'
    points = [
        f'{{"point_2d": {point}, "label": "{i}"}}'
        for i, point in enumerate(json.loads(PATH))
    ]
    said = f"```json\n[\n\t{box},\n\t" + ",\n\t".join(points) + "\n]\n```"
    expected = read(TEXT)
    assert replace(read(said), thought=expected.thought, well_formed=True) == expected
    assert [said[p.start : p.end] for p in read(said).parts] == [
        "100, 200, 300, 400",
        "100, 200",
        "150, 250",
        "200, 300",
    ]


# A part of a plan


@given(plan=plans(), codec=codecs)
def test_a_part_alone_survives_text_as_it_does_in_a_plan(plan: Plan, codec: Codec):
    reference = Reference(box=plan.box, waypoints=plan.waypoints, thought=plan.thought)
    whole = read(format_answer(plan, codec), codec)
    box = parse_affordance(
        format_answer(reference.to_answer("affordance"), codec), codec
    )
    path = parse_trajectory(
        format_answer(reference.to_answer("trajectory"), codec), codec
    )
    assert box == Affordance(box=whole.box, thought=plan.thought)
    assert path == Trajectory(waypoints=whole.waypoints, thought=plan.thought)


@given(data=st.data(), plan=plans(), codec=codecs)
def test_a_part_is_read_from_every_way_to_spell_a_plan(data, plan, codec):
    text = data.draw(wrap(data.draw(spellings(plan, codec))))
    whole = read(text, codec)
    box, path = parse_affordance(text, codec), parse_trajectory(text, codec)
    assert isinstance(box, Affordance) and isinstance(path, Trajectory)
    assert (box.box, path.waypoints) == (whole.box, whole.waypoints)
    assert not box.well_formed and not path.well_formed
    parts = [part for asked in PARSERS for part in read_numbers(text, asked)]
    assert parts == read_numbers(text) * 2


def test_the_text_of_a_part_is_exactly_the_documented_one():
    text = f'<think>so</think><answer>{{"affordance": {BOX}}}</answer>'
    box = parse_affordance(text)
    assert box == Affordance(box=(0.1, 0.2, 0.3, 0.4), thought="so")
    assert format_answer(box) == text
    assert parse_answer(text) == ParseFailure(reason="wrong_keys", detail="'no path'")
    assert parse_trajectory(text).reason == "wrong_keys"


def test_what_is_not_asked_for_is_not_judged():
    wrong = TEXT.replace(PATH, "[[7, 7], [9999, 1, 2, 3]]")
    assert parse_affordance(wrong) == replace(parse_affordance(TEXT))
    assert parse_answer(wrong).reason == "wrong_count"
    assert len(parse_affordance(wrong).parts) == 1
    assert parse_trajectory(wrong).reason == "wrong_count"


@pytest.mark.parametrize(
    ("asked", "content"),
    [
        ("affordance", BOX),
        ("affordance", f"[{BOX}]"),
        ("affordance", f'{{"bbox_2d": {BOX}, "label": "rim"}}'),
        ("affordance", f'[{{"bbox_2d": {BOX}, "label": "rim"}}]'),
        ("trajectory", PATH),
        ("trajectory", f'[{{"trajectory": {PATH}}}]'),
        (
            "trajectory",
            '[{"point_2d": [100, 200]}, {"point_2d": [150, 250], "label": "up"}, '
            '{"point_2d": [200, 300]}]',
        ),
    ],
)
@pytest.mark.parametrize(
    "frame",
    ["{}", "Here: {} Done.", "<think>[so] {{}}</think><answer>{}</answer>"],
)
def test_a_part_may_stand_alone_where_nothing_else_is_asked(asked, content, frame):
    text = frame.format(content)
    answer = PARSERS[asked](text, NORMALIZED)
    expected = PARSERS[asked](TEXT, NORMALIZED)
    assert not isinstance(answer, ParseFailure), answer
    assert replace(answer, thought=expected.thought) == expected
    assert read_numbers(text, asked) == read_numbers(TEXT, asked)


@pytest.mark.parametrize(
    ("asked", "text", "reason"),
    [
        ("affordance", f"{BOX}, {BOX}", "several_answers"),
        ("affordance", f"[{BOX}, {BOX}]", "several_answers"),
        ("affordance", f"{BOX} or {BOX}", "not_json"),
        ("affordance", "a mug", "no_answer"),
        ("affordance", PATH, "wrong_size"),
        ("trajectory", BOX, "not_numbers"),
        ("trajectory", PATH[:-1], "not_json"),
        ("trajectory", f"[{PATH}, {PATH}]", "wrong_count"),
        ("plan", BOX, "no_answer"),
    ],
)
def test_a_part_that_would_have_to_be_guessed_is_refused(asked, text, reason):
    answer = PARSERS[asked](text, NORMALIZED)
    assert isinstance(answer, ParseFailure) and answer.reason == reason, answer


def test_white_space_between_the_elements_keeps_a_text_well_formed():
    spaced = TEXT.replace("</think>", "</think>\n").replace(", ", ",\n ") + "\n"
    assert read(spaced).well_formed


@given(plan=plans(), codec=codecs, before=thoughts)
def test_parts_are_the_numbers_of_the_box_and_of_each_waypoint(plan, codec, before):
    text = before + format_answer(plan, codec)
    back = read(text, codec)
    box, *points = back.parts
    assert (box.name, box.index) == ("box", 0)
    assert [(p.name, p.index) for p in points] == [
        ("waypoint", i) for i in range(len(plan.waypoints))
    ]
    scale = (codec.width, codec.height, 1000)
    for part, values, s in [
        (box, back.box, scale[:2] * 2),
        *((p, w, scale) for p, w in zip(points, back.waypoints, strict=True)),
    ]:
        written = [int(n) for n in text[part.start : part.end].split(", ")]
        assert written == [round(v * k) for v, k in zip(values, s, strict=False)]


def test_equal_answers_may_stand_in_different_places():
    moved = parse_answer(f"Well: {TEXT}")
    assert moved.parts != read(TEXT).parts
    assert replace(moved, well_formed=True) == read(TEXT)
    assert hash(replace(moved, well_formed=True)) == hash(read(TEXT))


def test_each_codec_reads_its_own_pixels():
    text = TEXT.replace("400", "477")
    assert parse_answer(text, PIXELS) == ParseFailure(
        reason="outside_image", detail="[300.0, 477.0]"
    )
    assert read(TEXT.replace(BOX, "[0, 0, 644, 476]"), PIXELS).box == (0, 0, 1, 1)


def test_a_codec_without_a_whole_positive_size_is_refused():
    for size in (0, -5, 640.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="whole number"):
            Codec(size, 100)


def test_a_thought_with_a_tag_is_refused():
    with pytest.raises(ValueError, match="</think>"):
        format_answer(replace(read(TEXT), thought="so </think> it is"))


def test_any_100_kb_are_read_within_a_second():
    gc.freeze()  # what other tests left behind is not collected in this one's time
    floods = [
        "[",
        "{",
        '{"affordance":',
        "<answer>",
        "<think>",
        "9",
        "x",
        " ",
        "[[1,2],",
        '{"bbox_2d":[1,2,3,4]},',
        '"\\\\',
    ]
    for flood in floods:
        text = flood * (100_000 // len(flood))
        for flooded in (text, TEXT.replace("100", text), TEXT + text, text + TEXT):
            for parse in PARSERS.values():
                started = time.process_time()
                parse(flooded, NORMALIZED)
                assert time.process_time() - started < 1, flood  # usual: 0.03
    gc.unfreeze()


@pytest.mark.parametrize("kind", ["plan", "trajectory"])
@pytest.mark.parametrize(("count", "said"), [(1, 3), (2, 3), (11, 10), (40, 10)])
def test_a_reference_of_any_length_is_said_in_as_many_points_as_are_read(
    kind: str, count: int, said: int
) -> None:
    path = [(0.9 - 0.8 * (i / 40) ** 2, 0.5, 0.1 * (i / 40) ** 2) for i in range(count)]
    reference = Reference(box=(0.1, 0.2, 0.3, 0.4), waypoints=tuple(path))
    answer = reference.to_answer(kind)
    assert not isinstance(answer, Affordance)
    read = PARSERS[kind](format_answer(answer), NORMALIZED)
    assert not isinstance(read, ParseFailure | Affordance)
    assert len(read.waypoints) == len(answer.waypoints) == said
    assert (answer.waypoints[0], answer.waypoints[-1]) == (path[0], path[-1])
    at = [point[0] for point in answer.waypoints]
    steps = [after - before for before, after in itertools.pairwise(at)]
    assert steps == pytest.approx([(at[-1] - at[0]) / (said - 1)] * (said - 1))
    heights = [point[2] for point in answer.waypoints]
    assert heights == pytest.approx([0.1 * (0.9 - x) / 0.8 for x in at])
    assert len(reference.waypoints) == count


@given(path=st.lists(st.tuples(unit, unit), min_size=3, max_size=10))
def test_a_reference_that_can_be_said_is_said_as_it_is(path) -> None:
    reference = Reference(box=(0.1, 0.2, 0.3, 0.4), waypoints=tuple(path))
    assert reference.to_plan().waypoints is reference.waypoints


def test_a_path_that_goes_nowhere_is_said_and_none_stays_none() -> None:
    box, still = (0.1, 0.2, 0.3, 0.4), ((0.5, 0.5),)
    assert Reference(box=box, waypoints=still * 2).to_plan().waypoints == still * 3
    assert Reference(box=box, waypoints=()).to_plan().waypoints == ()
