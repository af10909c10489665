"""Varied examples: the answer still fits the image and the words, nothing leaks."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import envs
from envs.kitchen import knob
from envs.randomization.colours import COLOURS, HELD_OUT_COLOURS, OTHER_COLOURS, PALETTE
from envs.randomization.factors import Factors
from policy.model.tiny.tokenizer import build_tokenizer
from policy.rollout.scene_source import SceneSource
from policy.sft.data import BLOCK, ExampleSource, ExampleStream
from policy.sft.example import Example, mirror_example, move_frame, vary_example
from policy.variety.frames import draw_frame
from policy.variety.images import TINT, add_strangers, change_ground
from policy.variety.scenes import (
    APART,
    LONGER,
    RECOLOURED,
    STRETCHED,
    WHOLE,
    draw_colours,
    vary_scene,
)
from policy.variety.words import NAMES, PLACES, list_names, loosen_words

SOURCE = ExampleSource(SceneSource(names=("pick_mug",)))
EVERY = ExampleSource(SceneSource(names=tuple(envs.list_common()), varied=True))
KINDS = range(len(EVERY.scenes.names))


def names_in(text: str) -> list[str]:
    """The words of a text that name something, but places."""
    words = re.findall(r"\w+", text)
    return [word for word in words if word in NAMES.difference(PLACES)]


@pytest.mark.parametrize("seed", range(3))
def test_mirroring_twice_changes_nothing(seed: int) -> None:
    example = SOURCE(seed)
    twice = mirror_example(mirror_example(example))
    assert np.array_equal(twice.image, example.image)
    assert np.array_equal(twice.parts, example.parts)
    assert np.allclose(twice.plan.box, example.plan.box)
    assert twice.instruction == example.instruction


def test_mirroring_swaps_left_and_right_in_words() -> None:
    example = replace(SOURCE(0), instruction="the left mug, right of the brightest")
    assert mirror_example(example).instruction == "the right mug, left of the brightest"


def find_pixel(example: Example, i: int) -> tuple[int, int]:
    """Row and column of a waypoint."""
    x, y = example.plan.waypoints[i]
    return int(224 * y), int(224 * x)


@pytest.mark.parametrize("seed", KINDS)
@pytest.mark.parametrize("i", range(3))
def test_box_and_path_move_with_what_they_show(seed: int, i: int) -> None:
    example = EVERY(seed)
    row, column = find_pixel(example, i)
    parts = np.zeros_like(example.parts)
    parts[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3] = 1
    example = replace(example, parts=parts)
    moved = [move_frame(example, np.random.default_rng(k)) for k in range(8)]
    assert any(m.plan != example.plan for m in moved)
    for m in moved:
        rows, columns = np.nonzero(m.target)
        seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        assert np.allclose(224 * np.array(m.plan.box), seen, atol=1.5)
        assert m.parts[find_pixel(m, i)] == 1


@given(st.integers(0, 10**6))
@settings(max_examples=100)
def test_a_frame_finds_again_what_it_moved_and_folds_nothing(seed: int) -> None:
    frame = draw_frame(np.random.default_rng(seed))
    points = np.random.default_rng(seed).random((20, 2))
    assert np.allclose(frame.find(frame.move(points)), points, atol=2e-3)
    step = 1e-4 * np.eye(2)
    right, down = ((frame.find(points + s) - frame.find(points - s)) for s in step)
    assert (right[:, 0] * down[:, 1] > right[:, 1] * down[:, 0]).all()


@pytest.mark.parametrize("axis", LONGER)
def test_stretched_ranges_stay_out_of_what_is_held_out(axis: str) -> None:
    drawn = Factors(np.random.default_rng(0), "train", stretched=[axis])
    for train, held_out in (((1, 2), (3, 4)), ((3, 4), (1, 2)), ((-1, 1), (1, 2))):
        values = np.array([drawn.uniform(axis, train, held_out) for _ in range(200)])
        below, above = values < held_out[0], values > held_out[1]
        assert (below | above).all() and below.any() and above.any()
        assert ((values < train[0]) | (values > train[1])).any()


@pytest.mark.parametrize("axis", LONGER)
def test_what_is_shifted_stays_held_out_where_it_is_stretched(axis: str) -> None:
    plain = Factors(np.random.default_rng(0), "ood")
    both = Factors(np.random.default_rng(0), "ood", stretched=[axis])
    for _ in range(50):
        number = both.uniform(axis, (1, 2), (3, 4))
        assert number == plain.uniform(axis, (1, 2), (3, 4)) and 3 <= number <= 4


@pytest.mark.parametrize("one_sided", [False, True])
def test_what_has_a_held_out_mirror_image_is_not_mirrored(one_sided: bool) -> None:
    example = replace(SOURCE(0), one_sided=one_sided)
    served = ExampleStream(lambda _: example, seed=0)[BLOCK]
    expected = example if one_sided else mirror_example(example)
    rng = np.random.default_rng([0, BLOCK, 1])
    assert served.plan == vary_example(expected, rng).plan


def test_examples_of_stretched_ranges_are_one_sided() -> None:
    for seed in range(20):
        stretched = EVERY.scenes.choose(seed).stretched
        assert EVERY(seed).one_sided == bool(stretched)


def test_examples_of_a_view_that_was_asked_for_are_one_sided() -> None:
    aside, above = (
        ExampleSource(SceneSource(names=("pick_mug",), camera={name: 50}))
        for name in ("azimuth", "elevation")
    )
    assert aside(0).one_sided and not above(0).one_sided


@pytest.mark.parametrize("wording", knob.WORDINGS)
def test_what_turns_clockwise_is_not_mirrored(
    wording: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knob, "WORDINGS", (wording,))
    example = ExampleSource(SceneSource(names=("kitchen_knob",)))(0)
    assert example.one_sided == ("clockwise" in example.instruction)


@pytest.mark.parametrize("seed", KINDS)
def test_a_new_ground_leaves_parts_alone(seed: int) -> None:
    example = EVERY(seed)
    ground = example.parts == 0
    changed = change_ground(example.image, ground, np.random.default_rng(seed))
    assert np.array_equal(changed[~ground], example.image[~ground])
    before, after = (image[ground].mean() for image in (example.image, changed))
    assert TINT[0] / 2 < after / before < 1.15 * TINT[1]
    assert before != after


@pytest.mark.parametrize("seed", KINDS)
def test_strangers_lie_on_the_ground_alone(seed: int) -> None:
    example = EVERY(seed)
    ground = example.parts == 0
    rng = np.random.default_rng(seed)
    changed = add_strangers(example.image, ground, rng)
    assert np.array_equal(changed[~ground], example.image[~ground])
    seen = (changed != example.image).any(-1)
    assert 0 < seen.mean() < 0.25


def test_all_variety_often_comes_at_once() -> None:
    options = [vary_scene(np.random.default_rng([seed, 2])) for seed in range(400)]
    both = np.mean([bool(o["colours"]) and bool(o["stretched"]) for o in options])
    assert WHOLE + 0.1 < both < WHOLE + (1 - WHOLE) * RECOLOURED * STRETCHED + 0.08


@pytest.mark.parametrize("name", EVERY.scenes.names)
def test_a_varied_scene_looks_another_way_and_its_answer_holds(name: str) -> None:
    plain = SceneSource(names=(name,)).make_scene(3)
    scene, again = (SceneSource(names=(name,), varied=True).make_scene(3) for _ in "ab")
    assert not np.array_equal(scene.observation.image, plain.observation.image)
    assert np.array_equal(scene.observation.image, again.observation.image)
    assert scene.observation.instruction == again.observation.instruction
    assert scene.reference is not None
    [outcome] = envs.simulate(scene, [scene.reference.to_plan()])
    assert outcome.success


@given(st.integers(0, 10**6))
@settings(max_examples=100)
def test_a_loosened_instruction_keeps_its_names(seed: int) -> None:
    text = "fold the cloth, bring the red clip to the blue clip"
    loose = loosen_words(text, np.random.default_rng(seed))
    assert names_in(loose) == names_in(text)


def test_places_may_stand_behind_things_where_they_name_nothing() -> None:
    texts = [
        loosen_words("shut the left drawer", np.random.default_rng(seed))
        for seed in range(300)
    ]
    before, behind = zip(*(text.split("drawer") for text in texts), strict=True)
    assert all(set(PLACES).intersection(b.split()) == {"left"} for b in before)
    assert 0.05 < np.mean([b.strip() in PLACES for b in behind]) < 0.15


@given(st.integers(0, 10**6))
@settings(max_examples=100)
def test_only_names_of_different_things_change_places(seed: int) -> None:
    rng = np.random.default_rng(seed)
    block = loosen_words("put the red block on the blue block", rng)
    assert names_in(block) == ["red", "block", "blue", "block"]
    peg = names_in(loosen_words("put the red peg into the blue socket", rng))
    assert peg in (["red", "peg", "blue", "socket"], ["blue", "socket", "red", "peg"])


def test_a_bowl_of_sauce_changes_places_as_one_thing() -> None:
    asked = "bring the bowl of sauce to the red disc"
    texts = [loosen_words(asked, np.random.default_rng(k)) for k in range(60)]
    heard = {tuple(names_in(text)) for text in texts}
    assert heard == {("bowl", "sauce", "red", "disc"), ("red", "disc", "bowl", "sauce")}


def test_words_that_name_something_in_a_scene_are_known_as_names() -> None:
    for name in envs.list_common():
        for seed in range(6):
            scene = envs.make_scene(name, "test", seed, verify=False)
            deciding = list_names({goal.instruction for goal in scene.goals})
            assert deciding <= NAMES or name == "use_tool", deciding - NAMES


@given(st.integers(0, 10**6))
@settings(max_examples=50)
def test_what_tells_a_scenes_goals_apart_stays(seed: int) -> None:
    asked = ["pick up the kettle", "pick up the bread", "take the milk off"]
    names = list_names(asked)
    assert names.issuperset({"kettle", "bread", "milk"}) and "the" not in names
    for words in asked:
        loose = loosen_words(words, np.random.default_rng(seed), names)
        assert names.intersection(words.split()) <= {*re.findall(r"\w+", loose)}


def test_scenes_that_another_process_mirrors_are_not_kept() -> None:
    example = SOURCE(0)
    stream = ExampleStream(lambda _: example, seed=0, varied=False)
    for block in range(3):
        for place in range(0, BLOCK, 512):
            stream[2 * BLOCK * block + place]
        assert len(stream._recent) == BLOCK // 512


@given(st.integers(0, 10**6))
@settings(max_examples=50)
def test_colours_of_a_scene_differ_and_none_is_held_out(seed: int) -> None:
    colours = draw_colours(np.random.default_rng(seed))
    assert tuple(colours) == tuple(COLOURS)
    assert not set(colours.values()) & set(HELD_OUT_COLOURS)
    tints = np.array([PALETTE[name] for name in colours.values()])
    gaps = np.linalg.norm(tints[:, None] - tints[None], axis=-1)
    assert gaps[np.triu_indices(len(tints), 1)].min() > APART


def test_no_other_colour_resembles_one_held_out_and_each_is_one_token() -> None:
    for name, tint in OTHER_COLOURS.items():
        for held_out in HELD_OUT_COLOURS.values():
            assert np.linalg.norm(np.subtract(tint, held_out)) > 0.2, name
        assert len(build_tokenizer()(f" {name}")["input_ids"]) == 1, name


@pytest.mark.parametrize("seed", KINDS)
def test_colours_change_in_image_and_words_and_nothing_else_does(seed: int) -> None:
    name = EVERY.scenes.names[seed % len(EVERY.scenes.names)]
    colours = dict(zip(COLOURS, ("teal", "gold", "maroon", "olive", "violet", "gray")))
    plain = envs.make_scene(name, "train", seed, verify=False)
    other = envs.make_scene(name, "train", seed, verify=False, colours=colours)
    renamed = [colours.get(word, word) for word in plain.instruction.split()]
    assert other.instruction.split() == renamed
    assert np.array_equal(plain.model.geom_pos, other.model.geom_pos)
    assert np.array_equal(plain.seen, other.seen)
    assert not np.array_equal(plain.observation.image, other.observation.image)


def test_an_unknown_colour_is_named() -> None:
    with pytest.raises(ValueError, match="unknown colour 'puce'; valid: red, "):
        envs.make_scene("pick_mug", colours={"red": "puce"})


def test_the_same_rng_varies_the_same_way() -> None:
    example = EVERY(0)
    one, two = (vary_example(example, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert (one.instruction, one.plan) == (two.instruction, two.plan)
