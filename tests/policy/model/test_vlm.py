"""The model wrapper, on random miniatures of the architectures it is for."""

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

import policy
from envs.answer import format_answer
from envs.records import Plan
from policy.model import sampling
from policy.model.sharing import prefix
from policy.model.sharing.attention import SharedPrompt, attend
from policy.model.vlm import VLM
from policy.records import Completion, LoraSpec, Prompt

ANSWER = format_answer(
    Plan(box=(0.1, 0.2, 0.3, 0.4), waypoints=((0.1, 0.2),) * 3, thought="the mug")
)
FAMILIES = [
    "qwen3_vl",
    "qwen2_5_vl",
    pytest.param(
        "smolvlm",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("num2words") is None,
            reason="transformers' SmolVLM processor needs num2words",
        ),
    ),
]


@pytest.fixture(params=FAMILIES)
def vlm(request, homes) -> VLM:
    return policy.load(homes[request.param], device="cpu")


def make_prompts(*instructions: str) -> list[Prompt]:
    rng = np.random.default_rng(0)
    return [
        Prompt(image=rng.integers(0, 256, (84, 84, 3), np.uint8), instruction=text)
        for text in instructions
    ]


PROMPTS = make_prompts("Lift the red mug", "Open the drawer on the left", "Push it")


def make_completions(vlm: VLM, lengths: list[list[int]]) -> list[list[Completion]]:
    """Random answers of given lengths."""
    rng = np.random.default_rng(1)
    usable = torch.nonzero(vlm.vocabulary.bias == 0)[:, 0].numpy()
    return [
        [
            Completion(text="", token_ids=tuple(rng.choice(usable, length).tolist()))
            for length in group
        ]
        for group in lengths
    ]


def sample(vlm: VLM, prompts=PROMPTS, n=3, seed=0, temperature=1.0, tokens=12):
    return vlm.sample(
        prompts,
        n,
        temperature=temperature,
        max_new_tokens=tokens,
        seeds=range(seed, seed + len(prompts)),
    )


def collect_gradients(vlm: VLM, logprobs: torch.Tensor) -> dict[str, torch.Tensor]:
    weights = torch.linspace(-1, 1, logprobs.numel()).view_as(logprobs)
    vlm.model.zero_grad()
    (logprobs * weights).sum().backward()
    named = vlm.model.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


@pytest.mark.parametrize("lora", [None, LoraSpec(rank=4, alpha=8)])
@pytest.mark.parametrize("family", FAMILIES)
def test_sharing_the_prompt_changes_neither_logprobs_nor_gradients(
    homes, family: str, lora: LoraSpec | None
) -> None:
    vlm = policy.load(homes[family], lora=lora, device="cpu")
    completions = make_completions(vlm, [[1, 7, 4], [5, 2, 9], [3, 3, 8]])
    shared = vlm.score(PROMPTS, completions, temperature=0.7)
    plain = vlm.score_plain(PROMPTS, completions, temperature=0.7)
    assert shared.shape == (3, 3, 9)
    torch.testing.assert_close(shared, plain, atol=1e-5, rtol=1e-5)
    expected = collect_gradients(vlm, plain)
    found = collect_gradients(vlm, shared)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        error = (found[name] - gradient).norm()
        scale = max(gradient.norm(), 1e-3 * max(g.norm() for g in expected.values()))
        assert error <= 1e-5 * scale, name


def test_logprobs_outside_an_answer_are_zero(vlm: VLM) -> None:
    completions = make_completions(vlm, [[1, 3]])
    logprobs = vlm.score(PROMPTS[:1], completions, temperature=1.0)
    assert (logprobs[0, 0, 1:] == 0).all()
    assert (logprobs[0, 1] < 0).all()


def test_one_token_answers_are_scored_from_the_prompt_alone(vlm: VLM) -> None:
    completions = make_completions(vlm, [[1, 1]])
    shared = vlm.score(PROMPTS[:1], completions, temperature=1.0)
    plain = vlm.score_plain(PROMPTS[:1], completions, temperature=1.0)
    torch.testing.assert_close(shared, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.7, 1.3])
def test_scoring_finds_the_logprobs_of_sampling(vlm: VLM, temperature: float) -> None:
    groups = sample(vlm, temperature=temperature)
    scored = vlm.score(PROMPTS, groups, temperature=temperature).detach().numpy()
    for rows, group in zip(scored, groups, strict=True):
        for row, completion in zip(rows, group, strict=True):
            length = len(completion.token_ids)
            np.testing.assert_allclose(row[:length], completion.logprobs, atol=1e-4)


def test_the_same_seed_gives_the_same_answers_and_another_seed_others(
    vlm: VLM,
) -> None:
    def ids(seed: int) -> list[list[tuple[int, ...]]]:
        return [[c.token_ids for c in group] for group in sample(vlm, seed=seed)]

    assert ids(0) == ids(0)
    assert ids(0) != ids(1)


def test_temperature_zero_says_what_generate_says(vlm: VLM) -> None:
    for prompt, group in zip(PROMPTS, sample(vlm, n=1, temperature=0), strict=True):
        inputs = vlm.processor.encode([prompt])
        blocked = torch.nonzero(vlm.vocabulary.bias < 0)[:, 0].tolist()
        model: Any = vlm.model
        generated = model.generate(
            **inputs, do_sample=False, max_new_tokens=12, suppress_tokens=blocked
        )
        said = generated[0, inputs["input_ids"].shape[1] :].tolist()
        assert list(group[0].token_ids) == said[: len(group[0].token_ids)]


def test_an_answer_does_not_depend_on_finished_rows_leaving(vlm: VLM, monkeypatch):
    # Many tokens end an answer here, so that rows leave at every step.
    stops = torch.arange(len(vlm.vocabulary.stops)) % 4 == 0
    vlm.vocabulary = replace(vlm.vocabulary, stops=stops)
    leaving = sample(vlm, n=8)
    monkeypatch.setattr(sampling, "COMPACT_BELOW", 0.0)
    staying = sample(vlm, n=8)
    lengths = {len(c.token_ids) for group in leaving for c in group}
    assert len(lengths) > 2
    for a, b in zip(leaving, staying, strict=True):
        assert [c.token_ids for c in a] == [c.token_ids for c in b]


def test_answers_are_told_as_soon_as_the_last_of_a_prompt_ends(
    vlm: VLM, monkeypatch
) -> None:
    stops = torch.arange(len(vlm.vocabulary.stops)) % 4 == 0
    vlm.vocabulary = replace(vlm.vocabulary, stops=stops)
    prompts, said, ends, steps = PROMPTS * 3, {}, [], []
    extend = prefix.Branches.extend

    def step(*given: Any) -> torch.Tensor:
        steps.append(given)
        return extend(*given)

    monkeypatch.setattr(prefix.Branches, "extend", step)
    streamed = vlm.stream(
        prompts, 2, temperature=1.0, max_new_tokens=12, seeds=range(len(prompts))
    )
    for prompt, group in streamed:
        said[prompt] = [c.token_ids for c in group]
        ends.append(max(map(len, said[prompt])))
        assert len(steps) == ends[-1] - 1  # the prompt's own run says the first token
    groups = sample(vlm, prompts, n=2)
    assert said == {i: [c.token_ids for c in g] for i, g in enumerate(groups)}
    assert ends == sorted(ends) and len(set(ends)) > 1


def test_an_answer_depends_on_no_other_prompt_but_on_its_own_seed() -> None:
    vlm = policy.load("tiny", device="cpu")
    together = vlm.sample(
        PROMPTS, 2, temperature=1.0, max_new_tokens=8, seeds=[5, 6, 7]
    )
    for i, prompt in enumerate(PROMPTS):
        alone = vlm.sample(
            [prompt], 2, temperature=1.0, max_new_tokens=8, seeds=[5 + i]
        )
        assert [c.text for c in alone[0]] == [c.text for c in together[i]]


def test_sampled_tokens_follow_the_policys_probabilities(qwen3: VLM) -> None:
    # Only two tokens may be said.
    bias = torch.full_like(qwen3.vocabulary.bias, -torch.inf)
    bias[[40, 41]] = 0.0
    qwen3.vocabulary = replace(qwen3.vocabulary, bias=bias)
    (group,) = sample(qwen3, PROMPTS[:1], n=2000, tokens=1)
    first = np.array([c.token_ids[0] == 40 for c in group])
    probability = np.exp(next(c.logprobs[0] for c in group if c.token_ids[0] == 40))
    assert {c.token_ids[0] for c in group} == {40, 41}
    assert abs(first.mean() - probability) < 4 * 0.5 / 2000**0.5


def test_control_tokens_are_neither_sampled_nor_given_probability(vlm: VLM) -> None:
    blocked = vlm.vocabulary.bias == -torch.inf
    names = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|im_start|>"]
    assert blocked[vlm.tokenizer.convert_tokens_to_ids(names)].all()
    assert blocked[vlm.model.config.image_token_id]
    assert blocked[len(vlm.tokenizer) :].all()
    assert not blocked[vlm.tokenizer.get_vocab()["<|im_end|>"]]
    groups = sample(vlm, n=16, temperature=50.0)
    assert not any(blocked[list(c.token_ids)].any() for g in groups for c in g)


def test_an_answer_ends_at_its_closing_tag(qwen3: VLM) -> None:
    token = qwen3.tokenizer(ANSWER)["input_ids"][-1]
    bias = torch.full_like(qwen3.vocabulary.bias, -torch.inf)
    bias[[40, token]] = 0.0
    qwen3.vocabulary = replace(qwen3.vocabulary, bias=bias)
    (group,) = sample(qwen3, PROMPTS[:1], n=32, tokens=20)
    assert any(c.finished for c in group)
    for completion in group:
        assert completion.finished == (token in completion.token_ids)
        if completion.finished:
            assert completion.token_ids.index(token) == len(completion.token_ids) - 1
            assert completion.text.endswith("</answer>")
        else:
            assert len(completion.token_ids) == 20


def test_a_closing_tag_of_many_tokens_is_found(qwen3: VLM) -> None:
    spelled = [qwen3.tokenizer(c)["input_ids"][0] for c in "a</answer>"]
    assert qwen3.processor.closes_answer(spelled)
    assert not qwen3.processor.closes_answer(spelled[:-1])
    assert spelled[-1] in qwen3.processor.list_closing_ids()


def test_an_unfinished_answer_says_so(vlm: VLM) -> None:
    for group in sample(vlm, tokens=3):
        for completion in group:
            ended = completion.token_ids[-1] == vlm.tokenizer.eos_token_id
            ended |= completion.text.endswith("</answer>")
            assert completion.finished == ended
            assert len(completion.token_ids) == len(completion.logprobs) <= 3


@pytest.mark.parametrize("text", [ANSWER, "Grüße 🤖 an die Tasse", ""])
def test_token_spans_tile_the_decoded_text(vlm: VLM, text: str) -> None:
    token_ids = vlm.tokenizer(text)["input_ids"]
    spans = vlm.token_spans(token_ids)
    ends = [0] + [end for _, end in spans]
    assert [start for start, _ in spans] == ends[:-1]
    assert ends[-1] == len(text)
    assert ends == sorted(ends)


def test_token_spans_find_the_numbers_of_an_answer(qwen3: VLM) -> None:
    token_ids = qwen3.tokenizer(ANSWER)["input_ids"]
    pieces = [ANSWER[a:b] for a, b in qwen3.token_spans(token_ids)]
    assert [p for p in pieces if p.isdigit()][:4] == ["100", "200", "300", "400"]


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("steps", "own"), [(1, 1), (1, 5), (4, 4), (2, 6)])
def test_attention_to_a_shared_prompt_is_attention_to_copies_of_it(
    padded: bool, steps: int, own: int
) -> None:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    prompts, groups, heads, repeats, length, width = 2, 3, 2, 2, 5, 8
    rows = prompts * groups
    keys, values = draw(prompts, heads, length, width), draw(prompts, heads, length, 8)
    key, value = draw(rows, heads, own, width), draw(rows, heads, own, width)
    query = draw(rows, heads * repeats, steps, width)
    mask = torch.ones(prompts, 1, 1, length, dtype=torch.bool)
    mask[0, ..., :2] = not padded
    module: Any = torch.nn.Module()
    module.layer_idx, module.num_key_value_groups = 0, repeats
    shared = SharedPrompt([keys], [values], mask if padded else None)
    found, _ = attend(module, query, key, value, None, shared, scaling=0.3)

    causal = torch.ones(steps, own, dtype=torch.bool).tril(own - steps)
    causal = causal.expand(rows, 1, steps, own)
    copied = mask.repeat_interleave(groups, 0).expand(rows, 1, steps, length)
    expected, _ = sdpa_attention_forward(
        module,
        query,
        torch.cat([keys.repeat_interleave(groups, 0), key], 2),
        torch.cat([values.repeat_interleave(groups, 0), value], 2),
        torch.cat([copied, causal], -1),
        scaling=0.3,
    )
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_models_that_need_copies_of_the_prompt_score_and_say_the_same(
    vlm: VLM, monkeypatch
) -> None:
    completions = make_completions(vlm, [[1, 7, 4], [5, 2, 9], [3, 3, 8]])
    assert prefix.can_share(vlm.model)
    said = sample(vlm)
    scores = vlm.score(PROMPTS, completions, temperature=0.7)
    monkeypatch.setattr(prefix, "can_share", lambda model: False)
    copied = vlm.score(PROMPTS, completions, temperature=0.7)
    torch.testing.assert_close(scores, copied, atol=1e-5, rtol=1e-5)
    for a, b in zip(said, sample(vlm), strict=True):
        assert [c.token_ids for c in a] == [c.token_ids for c in b]


def test_groups_of_different_size_are_an_error(qwen3: VLM) -> None:
    completions = make_completions(qwen3, [[2], [2, 2]])
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        qwen3.score(PROMPTS[:2], completions, temperature=1.0)


def test_a_prompt_longer_than_the_context_is_an_error(homes) -> None:
    vlm = policy.load(homes["qwen2_5_vl"], device="cpu")
    with pytest.raises(ValueError, match="context of 512"):
        sample(vlm, make_prompts("word " * 400))


def test_tokens_of_a_prompt_are_counted_as_they_are_encoded(vlm: VLM) -> None:
    for words in ("Lift", "Lift the red mug by its handle"):
        prompt = Prompt(image=np.zeros((84, 112, 3), np.uint8), instruction=words)
        expected = vlm.processor.encode([prompt])["input_ids"].shape[1]
        assert vlm.count_tokens(prompt) == expected


def test_an_instruction_with_a_control_token_is_an_error(qwen3: VLM) -> None:
    with pytest.raises(ValueError, match="image_pad"):
        sample(qwen3, make_prompts("Lift <|image_pad|>"))


def test_lanes_draw_the_answers_that_one_thread_draws(vlm: VLM) -> None:
    alone = sample(vlm)
    torch.set_num_threads(2)
    try:
        lanes = sample(vlm)
        again = sample(vlm)
    finally:
        torch.set_num_threads(1)
    for row, other, repeated in zip(alone, lanes, again, strict=True):
        assert [c.text for c in row] == [c.text for c in other]
        for a, b, c in zip(row, other, repeated, strict=True):
            np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-5)
            np.testing.assert_array_equal(b.logprobs, c.logprobs)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_adapters_are_merged_for_sampling_and_taken_out_to_the_last_bit(
    homes, dtype: str
) -> None:
    lora = LoraSpec(rank=4, alpha=8)
    vlm = policy.load(homes["qwen3_vl"], lora=lora, device="cpu", dtype=dtype)
    for name, parameter in vlm.model.named_parameters():
        if "lora_B" in name:  # they begin with 0, which would hide them
            torch.nn.init.normal_(parameter, std=0.05)
    before = {n: p.detach().clone() for n, p in vlm.model.named_parameters()}
    groups = sample(vlm)
    for name, parameter in vlm.model.named_parameters():
        assert torch.equal(parameter, before[name]), name
    scored = vlm.score(PROMPTS, groups, temperature=1.0)
    for rows, group in zip(scored, groups, strict=True):
        for row, completion in zip(rows, group, strict=True):
            drawn = torch.from_numpy(completion.logprobs)
            close = 1e-5 if dtype == "float32" else 0.1
            torch.testing.assert_close(row[: len(drawn)], drawn, atol=close, rtol=0)


def test_no_prompts_have_no_answers(qwen3: VLM) -> None:
    assert qwen3.sample([], 2, temperature=1.0, max_new_tokens=4) == []
    assert qwen3.score([], [], temperature=1.0).shape == (0, 0, 0)


@pytest.mark.parametrize("field", ["instruction", "knowledge"])
def test_a_control_token_is_refused_where_it_stands(qwen3: VLM, field: str) -> None:
    [prompt] = make_prompts("Lift the red mug")
    with pytest.raises(ValueError, match=rf"^{field} 'a <\|im_end\|> b' contains"):
        qwen3.processor.render(replace(prompt, **{field: "a <|im_end|> b"}))


def test_a_part_to_train_stands_in_a_list(homes) -> None:
    with pytest.raises(ValueError, match="trainable is 'tower'; a list of language"):
        policy.load(homes["qwen3_vl"], device="cpu", trainable="tower")
