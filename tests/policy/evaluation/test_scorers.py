"""Three scorers of the same answers, each against a few independent lines."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import dist, hypot, sqrt

import numpy as np
import pytest
from rich.console import Console

from envs.answer import format_answer
from envs.records import (
    NO_BOX,
    Affordance,
    Completion,
    ParseFailure,
    Plan,
    Question,
    Reference,
    Trajectory,
)
from envs.rollout import Rollout
from envs.scene import Picture, PictureConfig
from policy.evaluation.printed import PRINTED
from policy.evaluation.score_table import tabulate_printed, tabulate_scores
from policy.evaluation.scoreboard import Scoreboard
from policy.evaluation.scorers import SCORERS, Marks, score_answer

UNREAD = ParseFailure(reason="no_answer")


def draw_box(rng) -> tuple[float, float, float, float]:
    (x1, y1), (x2, y2) = np.sort(rng.uniform(size=(2, 2)), axis=0).tolist()
    return x1, y1, x2, y2


def draw_path(rng) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, rng.uniform(size=(rng.integers(3, 11), 2)).tolist()))


def draw_pairs(count: int) -> list[tuple[Plan | ParseFailure, Reference]]:
    """Answers, a fifth of which cannot be read, and their references."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(count):
        plan = Plan(box=draw_box(rng), waypoints=draw_path(rng))
        reference = Reference(box=draw_box(rng), waypoints=draw_path(rng))
        pairs.append((UNREAD if rng.random() < 0.2 else plan, reference))
    return pairs


# The same figures, from their definitions.


def iou(a, b) -> float:
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return width * height / (sum(areas) - width * height)


def frechet(p, q) -> float:
    @lru_cache(None)
    def leash(i, j):
        if i < 0 or j < 0:
            return float("inf")
        before = min(leash(i - 1, j), leash(i, j - 1), leash(i - 1, j - 1))
        return max(dist(p[i], q[j]), 0 if i == j == 0 else before)

    return leash(len(p) - 1, len(q) - 1)


def hausdorff(p, q) -> float:
    ways = ((p, q), (q, p))
    return max(max(min(dist(u, v) for v in b) for u in a) for a, b in ways)


def rmse(p, q) -> float:
    pairs = [*zip(p, q, strict=False)]
    return sqrt(sum(dist(u, v) ** 2 for u, v in pairs) / len(pairs))


def walk(path, n=20) -> list[tuple[float, float]]:
    """n points evenly along a path."""
    steps = [dist(u, v) for u, v in pairwise(path)]
    found = []
    for k in range(n):
        left, leg = sum(steps) * k / (n - 1), 0
        while leg < len(steps) - 1 and left > steps[leg]:
            left, leg = left - steps[leg], leg + 1
        share, (ax, ay), (bx, by) = left / steps[leg], path[leg], path[leg + 1]
        found.append((ax + share * (bx - ax), ay + share * (by - ay)))
    return found


def expect(name: str, answer, reference) -> tuple:
    """IoU, then DFD, HD, RMSE and the distance of the ends; None: left out."""
    read = isinstance(answer, Plan)
    box = iou(answer.box, reference.box) if read else None if name == "flageval" else 0
    p, q = answer.waypoints if read else None, reference.waypoints
    if name == "graspo":
        p, q = (walk(p), walk(q)) if read else (None, q)
        far = 2**0.5
        return box, *(
            (frechet(p, q), hausdorff(p, q), rmse(p, q)) if read else [far] * 3
        )
    if name == "paper":
        path = (
            (frechet(p, q), hausdorff(p, q), rmse(walk(p), walk(q))) if read else None
        )
        return box, *(path or [None] * 3)
    p = p or ((0.0, 0.0),)
    return box, frechet(p, q), hausdorff(p, q), rmse(p, q)


def flatten(marks: Marks) -> tuple:
    path = marks.path
    return marks.iou, *((path.dfd, path.hd, path.rmse) if path else [None] * 3)


@pytest.mark.parametrize("name", SCORERS)
def test_a_scorer_agrees_with_its_definition_on_a_thousand_pairs(name):
    for answer, reference in draw_pairs(1000):
        marks = score_answer(SCORERS[name], answer, reference)
        found, wanted = flatten(marks), expect(name, answer, reference)
        assert [v is None for v in found] == [v is None for v in wanted]
        numbers = [(a, b) for a, b in zip(found, wanted, strict=True) if b is not None]
        assert all(a == pytest.approx(b, abs=1e-9) for a, b in numbers)


@pytest.mark.parametrize("name", SCORERS)
def test_the_reference_itself_has_nothing_to_improve(name):
    for _, reference in draw_pairs(20):
        marks = score_answer(SCORERS[name], reference.to_plan(), reference)
        assert flatten(marks) == pytest.approx((1, 0, 0, 0))
        assert marks.path and hypot(*marks.path.end) == pytest.approx(0)


def test_what_an_annotation_lacks_is_left_out():
    for answer in (draw_pairs(1)[0][0], UNREAD):
        for scorer in SCORERS.values():
            bare = Reference(box=NO_BOX, waypoints=())
            assert score_answer(scorer, answer, bare) == Marks(iou=None, path=None)


def test_heights_are_not_compared():
    flat = ((0.1, 0.1), (0.2, 0.3), (0.4, 0.4))
    high = tuple((*point, 0.1) for point in flat)
    reference = Reference(box=NO_BOX, waypoints=high)
    for scorer in SCORERS.values():
        assert flatten(score_answer(scorer, Trajectory(waypoints=flat), reference)) == (
            pytest.approx((None, 0, 0, 0))
        )


def answer_picture(answer, reference, category="cut", size=(640, 480)) -> Rollout:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    scene = Picture(
        config=PictureConfig(
            name="offline", split="test", seed=0, item="0", category=category
        ),
        observation=Question(image=image, instruction="cut it", answer="plan"),
        reference=reference,
    )
    text = "" if isinstance(answer, ParseFailure) else format_answer(answer)
    return Rollout(scene=scene, completion=Completion(text=text), answer=answer)


def post(rollouts, answer="plan", names=tuple(SCORERS)) -> dict:
    board = Scoreboard(answer, names)
    for rollout in rollouts:
        board.add([rollout])
    return board.to_row()


BOX, FLAT = (0.2, 0.2, 0.4, 0.4), ((0.2, 0.2), (0.2, 0.1), (0.3, 0.1))
GOOD = Plan(box=BOX, waypoints=FLAT)
REFERENCE = Reference(box=BOX, waypoints=FLAT)


def test_silence_costs_what_the_scorer_makes_of_it():
    scores = post([answer_picture(GOOD, REFERENCE), answer_picture(UNREAD, REFERENCE)])
    assert {row["parse_rate"] for row in scores.values()} == {0.5}
    assert [row["iou"] for row in scores.values()] == pytest.approx([50, 50, 100])
    averages = {name: row["average"] for name, row in scores.items()}
    assert averages["paper"] == 0 < averages["flageval"] < averages["graspo"]
    assert averages["graspo"] == pytest.approx(500 * sqrt(2), abs=1e-3)
    counted = {
        name: (row["n"], row["boxes"], row["paths"]) for name, row in scores.items()
    }
    assert counted == {
        "graspo": (2, 2, 2),
        "paper": (2, 2, 1),
        "flageval": (2, 1, 2),
    }


@pytest.mark.parametrize(("pixels", "near"), [(19.9, 1), (20.1, 0)])
@pytest.mark.parametrize("axis", [0, 1])
def test_twenty_pixels_are_those_of_the_image(pixels, near, axis):
    moved = [list(point) for point in FLAT]
    moved[-1][axis] += pixels / (640, 480)[axis]
    answer = Trajectory(waypoints=tuple(map(tuple, moved)))
    for row in post([answer_picture(answer, REFERENCE)], "trajectory").values():
        assert row["end_within_20px"] == near
        assert "iou" not in row and "boxes" not in row


def test_classes_and_the_share_above_half_are_told():
    half = Affordance(box=(0.2, 0.2, 0.3, 0.4))  # exactly 0.5, which is not above it
    rollouts = [
        answer_picture(Affordance(box=BOX), REFERENCE, "grasp"),
        answer_picture(half, REFERENCE, "cut"),
    ]
    row = post(rollouts, "affordance", ["paper"])["paper"]
    assert row["iou/grasp"] == 100 and row["iou/cut"] == pytest.approx(50)
    assert row["iou"] == pytest.approx(75) and row["iou_above_half"] == 0.5
    assert "dfd" not in row and row["intervals"]["iou_above_half"][0] < 0.5


def test_where_nothing_counts_there_is_no_figure():
    scores = post([answer_picture(UNREAD, REFERENCE)])
    assert "dfd" not in scores["paper"] and scores["paper"]["paths"] == 0
    assert "iou" not in scores["flageval"] and scores["flageval"]["boxes"] == 0
    assert post([]) == {}


def render(table) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_tables_show_every_scorer_class_and_printed_row():
    rollouts = [answer_picture(GOOD, REFERENCE, name) for name in ("cut", "[/red]")]
    scores = post([*rollouts, answer_picture(UNREAD, REFERENCE)])
    shown = render(tabulate_scores(scores, "tiny"))
    for words in (*SCORERS, "  [/red]", "end within 20 px", "flatters", "100.0"):
        assert words in shown
    shown = render(tabulate_printed([("tiny, paper", scores["paper"])]))
    assert "110.9" in shown and shown.count("ManipLVM-R1") == 2 == shown.count("VLA-R1")


def test_printed_averages_are_those_of_their_distances():
    for line in PRINTED:
        if line.dfd is not None and line.hd is not None and line.rmse is not None:
            assert (line.dfd + line.hd + line.rmse) / 3 == pytest.approx(
                line.average, abs=0.7
            )
