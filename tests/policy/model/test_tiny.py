"""The default policy's parts: any text round-trips, numbers and answers are short."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import envs
import policy
from envs.answer import format_answer
from envs.randomization.colours import PALETTE
from envs.records import Plan
from policy.model.prompt import build_prompt
from policy.model.tiny.adoption import adopt_weights
from policy.model.tiny.model import build_image_processor, build_model, save_policy
from policy.model.tiny.size import TinySize
from policy.model.tiny.tokenizer import (
    build_tokenizer,
    list_colour_ids,
    list_integer_ids,
)
from policy.model.tiny.words import WORDS
from policy.sft.loss import patchify

TOKENIZER = build_tokenizer()
SMALL = TinySize(width=48, tower_layers=1, language_layers=2, tower_hidden=96)
unit = st.floats(0, 1)


def split(text: str) -> list[str]:
    """The pieces of text that its tokens stand for."""
    return [str(TOKENIZER.decode([token])) for token in TOKENIZER(text)["input_ids"]]


@given(st.text())
@settings(max_examples=200)
def test_any_text_comes_back_from_its_tokens(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


@given(st.text(st.characters(max_codepoint=127)))
@settings(max_examples=200)
def test_pieces_of_ascii_text_join_to_the_text(text: str) -> None:
    assert "".join(split(text)) == text


def test_each_integer_up_to_1000_is_one_token() -> None:
    ids = list_integer_ids(TOKENIZER)
    assert len(set(ids)) == 1001
    assert [split(str(value)) for value in range(1001)] == [
        [str(value)] for value in range(1001)
    ]


def test_a_larger_number_falls_to_digits() -> None:
    assert split("1001") == ["1", "0", "0", "1"]


@given(st.lists(st.tuples(unit, unit), min_size=3, max_size=3))
@settings(max_examples=50)
def test_an_answer_of_three_waypoints_takes_22_tokens_and_its_thought(
    points: list,
) -> None:
    plan = Plan(box=(0.1, 0.2, 0.3, 0.4), waypoints=tuple(points), thought="red mug")
    assert len(split(format_answer(plan))) == 22 + len(split("red mug"))


@pytest.mark.parametrize("name", envs.list_common())
def test_words_of_every_scene_are_single_tokens(name: str) -> None:
    for split_name in ("train", "test"):
        for seed in range(5):
            scene = envs.make_scene(name, split=split_name, seed=seed, verify=False)
            words = scene.instruction.split()
            commas = scene.instruction.count(",")
            # ", " is one token and the word after it another.
            assert len(split(scene.instruction)) <= len(words) + commas


def test_weights_are_adopted_by_the_text_of_tokens() -> None:
    known = {token for token in TOKENIZER.get_vocab() if "brick" not in token.lower()}
    fewer = build_tokenizer([word for word in WORDS if word != "brick"])
    assert set(fewer.get_vocab()) == known
    other = build_model(SMALL, fewer, seed=1)
    model, fresh = (build_model(SMALL, TOKENIZER, seed=0) for _ in range(2))
    adopt_weights(model, TOKENIZER, other, fewer)
    for name in ("mug", "7", "}", "Ġbrick"):
        rows = (m.get_input_embeddings().weight for m in (model, other, fresh))
        row, old, own = rows
        source = own[TOKENIZER.get_vocab()[name]]
        if name in known:
            source = old[fewer.get_vocab()[name]]
        assert torch.equal(row[TOKENIZER.get_vocab()[name]], source)
    layer = "model.visual.blocks.0.attn.qkv.weight"
    assert torch.equal(model.state_dict()[layer], other.state_dict()[layer])


def test_new_names_of_colours_know_what_the_others_learned_together() -> None:
    fewer = build_tokenizer([word for word in WORDS if word != "rust"])
    model, fresh = (build_model(SMALL, TOKENIZER, seed=0) for _ in range(2))
    other = build_model(SMALL, fewer, seed=1)
    _, spaced, _ = (list(ids) for ids in list_colour_ids(fewer))
    with torch.no_grad():
        other.lm_head.weight[spaced] += 0.5
    adopt_weights(model, TOKENIZER, other, fewer)
    moved = model.lm_head.weight.detach() - fresh.lm_head.weight
    ids = TOKENIZER.get_vocab()
    known = [ids[fewer.convert_ids_to_tokens(row)] for row in spaced]
    assert torch.allclose(moved[ids["Ġrust"]], moved[known].mean(0), atol=1e-6)
    assert torch.allclose(moved[ids["Ġrust"]], torch.tensor(0.5), atol=0.05)
    assert moved[ids["rust"]].abs().max() < 0.05


def test_a_policy_that_grew_answers_as_before() -> None:
    larger = replace(SMALL, tower_layers=3, language_layers=5)
    other = build_model(SMALL, TOKENIZER, seed=1).eval()
    model = build_model(larger, TOKENIZER, seed=0).eval()
    adopt_weights(model, TOKENIZER, other, TOKENIZER)
    ids = torch.arange(40)[None]
    patches = torch.rand(SMALL.grid**2, 3 * SMALL.patch**2)
    grid = torch.tensor([[1, SMALL.grid, SMALL.grid]])
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, other(input_ids=ids).logits)
        seen, known = (
            m.model.get_image_features(patches, grid).pooler_output[0]
            for m in (model, other)
        )
    assert torch.equal(seen, known)


def test_a_policy_with_fewer_layers_cannot_adopt_more() -> None:
    larger = build_model(replace(SMALL, tower_layers=3), TOKENIZER, seed=1)
    with pytest.raises(RuntimeError, match=r"3 layers of model\.visual"):
        adopt_weights(
            build_model(SMALL, TOKENIZER, seed=0), TOKENIZER, larger, TOKENIZER
        )


def test_weights_without_names_of_colours_are_adopted() -> None:
    colourless = build_tokenizer([word for word in WORDS if word not in PALETTE])
    model, fresh = (build_model(SMALL, TOKENIZER, seed=0) for _ in range(2))
    adopt_weights(model, TOKENIZER, build_model(SMALL, colourless, seed=1), colourless)
    names = [row for ids in list_colour_ids(TOKENIZER) for row in ids]
    assert torch.equal(model.lm_head.weight[names], fresh.lm_head.weight[names])


def test_names_of_colours_are_as_far_apart_as_what_they_look_like() -> None:
    weight = build_model(SMALL, TOKENIZER, seed=0).get_input_embeddings().weight
    red, rust, cyan = (
        weight[TOKENIZER.get_vocab()[f"Ġ{name}"]] for name in ("red", "rust", "cyan")
    )
    assert torch.dist(red, rust) < 0.7 * torch.dist(red, cyan)


def test_patches_are_those_of_the_stock_processor() -> None:
    image = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    size = TinySize()
    stock = build_image_processor(size)(images=[image], return_tensors="pt")
    patches, grid = patchify(torch.from_numpy(image)[None], size)
    assert torch.equal(grid, stock["image_grid_thw"])
    assert torch.allclose(patches, stock["pixel_values"], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("patch", 24, "size.image is 224; a multiple of 48, size.patch * size.merge"),
        ("patch", 7, "size.patch * size.merge is 14; a multiple of 4, "),
        ("tower_heads", 5, "size.width is 192; a multiple of 20, 4 * size.tower_heads"),
        ("width", 180, "size.width is 180; a multiple of 8, 2 * size.language_heads"),
        ("width", 190, "size.width is 190; a multiple of 12, 4 * size.tower_heads"),
        ("language_layers", 0, "size.language_layers is 0; a whole number of at least"),
        ("tower_hidden", 1.5, "size.tower_hidden is 1.5; a whole number of at least 1"),
    ],
)
def test_a_size_that_no_model_can_have_is_refused(
    name: str, value: float, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        TinySize(**{name: value})


@pytest.mark.parametrize("patch", [14, 28])
def test_sizes_at_their_bounds_are_of_a_model(patch: int) -> None:
    size = TinySize(
        patch=patch,
        merge=28 // patch,
        image=28,
        width=12,
        tower_heads=3,
        language_heads=6,
        tower_layers=1,
        language_layers=1,
    )
    model = build_model(size, TOKENIZER, seed=0)
    patches, grid = patchify(torch.zeros(1, 28, 28, 3, dtype=torch.uint8), size)
    seen = model.model.get_image_features(patches, grid).pooler_output[0]
    assert seen.shape == (1, 12)
    assert model(input_ids=torch.arange(3)[None]).logits.shape[:2] == (1, 3)


def test_the_same_seed_builds_the_same_weights() -> None:
    a, b = (build_model(SMALL, TOKENIZER, seed=3) for _ in range(2))
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters()))


def test_the_default_size_has_three_to_eight_million_parameters() -> None:
    model = build_model(TinySize(), TOKENIZER, seed=0)
    assert 3e6 < sum(p.numel() for p in model.parameters()) < 8e6


def test_a_saved_policy_loads_and_answers(tmp_path) -> None:
    model = build_model(SMALL, TOKENIZER, seed=0)
    save_policy(tmp_path, model, TOKENIZER, SMALL)
    vlm = policy.load(tmp_path, device="cpu")
    scene = envs.make_scene("pick_mug", verify=False)
    prompt = build_prompt(scene.observation)
    group = vlm.sample([prompt], 2, temperature=1.0, max_new_tokens=4)
    assert [len(completion.token_ids) for completion in group[0]] == [4, 4]


def test_integers_start_closer_to_their_neighbours() -> None:
    model = build_model(SMALL, TOKENIZER, seed=0)
    rows = model.lm_head.weight[list_integer_ids(TOKENIZER)].detach()
    like = torch.nn.functional.cosine_similarity
    assert like(rows[500], rows[501], 0) > 0.9 > like(rows[500], rows[600], 0)
