"""A million texts through every parser, and twenty thousand plans at the extremes."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

import envs
from envs.answer import NORMALIZED, PARSERS, Codec
from envs.records import ParseFailure, Plan, Reference

TEXTS = 1_000_000
PLANS = 20_000
CODECS = (NORMALIZED, Codec(644, 476))
PIECES = (
    *("<think>", "</think>", "<answer>", "</answer>", "```json", "```", "\n", " "),
    *("{", "}", "[", "]", "(", ")", ",", ":", '"', "'", "\\", "\\u12", "null", "NaN"),
    *('"affordance"', '"trajectory"', '"bbox_2d"', '"point_2d"', "box", "true"),
    *("0", "-1", "1e999", "-0.0", "1" * 400, "402", "٣", "½", "\ud800", "\x00", "é"),
    *("<box>", "</box>", "<|box_start|>", "(402,518),(460,633)", "[402, 518]"),
)
WHOLE = (
    '<think>The mug.</think>\n<answer>{"affordance": [402, 518, 460, 633], '
    '"trajectory": [[431, 575], [428, 470], [425, 366]]}</answer>',
    '<answer>{"affordance": [1, 2, 3, 4], "trajectory": [[1, 2, 30], [3, 4, 50], '
    "[5, 6, 70]]}</answer>",
    '```json\n[{"bbox_2d": [402, 518, 460, 633], "label": "handle"}]\n```',
    "<answer>[402, 518, 460, 633]</answer>",
    "<answer>[[431, 575], [428, 470], [425, 366]]</answer>",
)


def make_texts(rng: random.Random, count: int) -> Iterator[str]:
    """Texts out of pieces, and whole answers that were changed in some places."""
    for _ in range(count):
        if rng.random() < 0.3:
            yield "".join(rng.choices(PIECES, k=rng.randrange(30)))
        else:
            text = rng.choice(WHOLE)
            for _ in range(rng.randrange(1, 5)):
                text = mutate(text, rng)
            yield text


def mutate(text: str, rng: random.Random) -> str:
    start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    kind = rng.randrange(4)
    if kind == 0:
        return text[:start] + text[end:]
    if kind == 1:
        return text[:start] + rng.choice(PIECES) + text[start:]
    if kind == 2:
        return text[:end] + text[start:]
    return text[:start] + text[start:end][::-1] + text[end:]


def fuzz(count: int) -> tuple[Counter[str], float]:
    """Parses texts; returns how often each kind came of it, and seconds a text."""
    rng, found, spent = random.Random(count), Counter[str](), 0.0
    parsers = [(parse, codec) for parse in PARSERS.values() for codec in CODECS]
    for place, text in enumerate(make_texts(rng, count)):
        parse, codec = parsers[place % len(parsers)]
        begin = time.process_time()
        answer = parse(text, codec)
        spent += time.process_time() - begin
        found[type(answer).__name__] += 1
        if not isinstance(answer, ParseFailure):
            assert all(map(math.isfinite, flatten(asdict(answer)))), text
    return found, spent / count


def flatten(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from flatten(one)
    elif isinstance(value, float):
        yield value


def test_any_text_is_an_answer_or_a_failure() -> None:
    found, seconds = fuzz(5000)
    assert len(found) == 4 and seconds < 1e-3, (found, seconds)


@pytest.mark.faults
def test_a_million_texts() -> None:
    found, seconds = fuzz(TEXTS)
    print(f"{TEXTS} texts: {dict(found)}, {1e6 * seconds:.0f} us each")  # noqa: T201
    assert seconds < 1e-3


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("piece", [*PIECES[:16], *WHOLE], ids=range(21))
def test_time_grows_as_the_text_does(parse: Any, piece: str) -> None:
    def measure(length: int) -> float:
        text = piece * (length // len(piece))
        begin = time.process_time()
        parse(text, NORMALIZED)
        return time.process_time() - begin

    short, long = measure(100_000), measure(1_000_000)
    assert long < 40 * short + 0.1  # ten times, and room for a busy machine


@pytest.mark.faults
@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)
def test_five_megabytes_take_seconds(parse: Any) -> None:
    for piece in (*PIECES, *WHOLE):
        begin = time.process_time()
        parse(piece * (5_000_000 // len(piece)), NORMALIZED)
        assert time.process_time() - begin < 20, piece


def draw_plan(rng: np.random.Generator, expert: Reference | None = None) -> Plan:
    """A plan at and beyond what an image holds: corners, edges, jumps, heights.

    Two of three that have an expert beside them start as it does, so that the hand
    takes hold of something before it is led astray.
    """
    ends = np.array([0.0, 1.0, 1e-9, 1 - 1e-9, 0.5, rng.uniform()])
    left, right = np.sort(rng.choice(ends, 2))
    top, bottom = np.sort(rng.choice(ends, 2))
    count = int(rng.choice([3, 10]))
    path = rng.choice(ends, (count, 2))
    if rng.uniform() < 0.2:
        path[:] = path[0]  # all in one place
    if expert is not None and rng.uniform() < 0.67:
        left, top, right, bottom = expert.box
        path[0] = expert.waypoints[0][:2]
    if rng.uniform() < 0.4:
        heights = rng.choice([0.0, 1e-6, 0.05, 0.3, 5.0, 1000.0], (count, 1))
        path = np.hstack([path, heights])
    return Plan(
        box=(float(left), float(top), float(right), float(bottom)),
        waypoints=tuple(tuple(map(float, point)) for point in path),
    )


def execute(name: str, count: int) -> Counter[str]:
    """Executes plans in scenes of a kind; returns their reasons."""
    rng, reasons = np.random.default_rng(7), Counter[str]()
    for seed in range(math.ceil(count / 100)):
        scene = envs.sample_scene(
            envs.SceneConfig(name=name, split=("train", "ood")[seed % 2], seed=seed)
        )
        plans = [draw_plan(rng, scene.reference) for _ in range(min(100, count))]
        for outcome in envs.simulate(scene, plans):
            reasons[outcome.reason or "none"] += 1
            assert all(map(math.isfinite, flatten(asdict(outcome)))), outcome
    return reasons


@pytest.mark.parametrize("name", ["pick_mug", "sweep_to_zone"])
def test_plans_at_the_extremes_have_outcomes(name: str) -> None:
    assert sum(execute(name, 20).values()) == 20


@pytest.mark.faults
@pytest.mark.parametrize("name", envs.list_scenes())
def test_twenty_thousand_plans_at_the_extremes(name: str) -> None:
    count = math.ceil(PLANS / len(envs.list_scenes()) / 100) * 100
    reasons = execute(name, count)
    print(f"{name}: {count} plans: {dict(reasons.most_common(4))}")  # noqa: T201
    assert sum(reasons.values()) == count
