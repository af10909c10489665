"""Loading, freezing and saving policies, and what is said when it cannot be done."""

import json
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import policy
from envs.answer import NORMALIZED, Codec
from policy.model import loading
from policy.model.vlm import VLM
from policy.records import Completion, LoraSpec, Prompt

FAMILIES = ("qwen3_vl", "qwen2_5_vl")
RNG = np.random.default_rng(0)
PROMPTS = [
    Prompt(image=RNG.integers(0, 256, (84, 84, 3), np.uint8), instruction=text)
    for text in ("Lift the red mug", "Open the drawer on the left")
]
COMPLETIONS = [
    [Completion(text="", token_ids=tuple(range(30, 30 + n))) for n in (4, 6)]
] * len(PROMPTS)


def score(vlm: VLM) -> torch.Tensor:
    return vlm.score(PROMPTS, COMPLETIONS, temperature=1.0)


def take_step(vlm: VLM) -> None:
    trained = [p for p in vlm.model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.05)
    optimizer.zero_grad()
    score(vlm).sum().backward()
    optimizer.step()


def test_a_policy_is_loaded_beside_others_without_a_bound_on_their_memory(
    homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The playground starts processes meanwhile, which would keep it."""
    limits, load = [], loading.load_stock_processor

    def look(*arguments: Any) -> Any:
        limits.append(resource.getrlimit(resource.RLIMIT_DATA))
        return load(*arguments)

    monkeypatch.setattr(loading, "load_stock_processor", look)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(policy.load_processor, homes["qwen3_vl"]).result()
    assert limits == [resource.getrlimit(resource.RLIMIT_DATA)]


def test_adapters_train_only_the_language_model(homes) -> None:
    vlm = policy.load(homes["qwen3_vl"], lora=LoraSpec(rank=4), device="cpu")
    before = {k: v.clone() for k, v in vlm.model.state_dict().items()}
    take_step(vlm)
    changed = {k for k, v in vlm.model.state_dict().items() if (v != before[k]).any()}
    assert changed
    assert all("language_model" in name and "lora_" in name for name in changed)
    counts = {count.group: count for count in vlm.count_parameters()}
    assert list(counts) == ["tower", "language", "embeddings", "adapters"]
    adapters = counts.pop("adapters")
    assert 0 < adapters.trainable == adapters.total
    assert all(count.trainable == 0 < count.total for count in counts.values())


@pytest.mark.parametrize("part", ["language", "tower"])
def test_only_the_chosen_part_trains(homes, part: str) -> None:
    vlm = policy.load(homes["qwen3_vl"], trainable=[part], device="cpu")
    before = {k: v.clone() for k, v in vlm.model.state_dict().items()}
    take_step(vlm)
    changed = {k for k, v in vlm.model.state_dict().items() if (v != before[k]).any()}
    assert changed
    assert all(("visual" in name) == (part == "tower") for name in changed)
    for count in vlm.count_parameters():
        trains = (count.group == "tower") == (part == "tower")
        assert count.trainable == (count.total if trains else 0)


@pytest.mark.parametrize(
    "options", [{"lora": LoraSpec(rank=4)}, {"keep_reference": True}]
)
def test_the_reference_stays_what_it_was_before_training(homes, options) -> None:
    vlm = policy.load(homes["qwen3_vl"], device="cpu", **options)
    with torch.no_grad():
        before = score(vlm)
    take_step(vlm)
    with torch.no_grad():
        after = score(vlm)
        with vlm.reference():
            reference = score(vlm)
        again = score(vlm)
    # Weights at another address may be summed in another order: 5e-7 was seen.
    torch.testing.assert_close(reference, before, atol=1e-5, rtol=0)
    torch.testing.assert_close(again, after, atol=1e-5, rtol=0)
    assert (after - before).abs().max() > 1e-3


def test_no_reference_kept_is_an_error(qwen3: VLM) -> None:
    with pytest.raises(RuntimeError, match="keep_reference"), qwen3.reference():
        pass


@pytest.mark.parametrize("lora", [None, LoraSpec(rank=4, alpha=8)])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_policy_loads_as_the_same_policy(
    homes, tmp_path, family: str, lora: LoraSpec | None
) -> None:
    vlm = policy.load(homes[family], lora=lora, device="cpu")
    take_step(vlm)
    vlm.save(tmp_path)
    loaded = policy.load(tmp_path, device="cpu")
    assert loaded.processor.settings == vlm.processor.settings
    torch.testing.assert_close(
        score(loaded),
        score(vlm),
        atol=1e-5,
        rtol=1e-5,
    )


def test_the_codec_is_the_familys_own(homes) -> None:
    prompt = Prompt(image=np.zeros((480, 640, 3), np.uint8), instruction="x")
    pixels = policy.load(homes["qwen2_5_vl"], device="cpu")
    assert pixels.codec(prompt) == Codec(644, 476)
    assert policy.load(homes["qwen3_vl"], device="cpu").codec(prompt) == NORMALIZED
    changed = policy.load(homes["qwen2_5_vl"], device="cpu", coordinates="normalized")
    assert changed.codec(prompt) == NORMALIZED


def test_prompts_are_asked_as_the_settings_say(homes) -> None:
    short = policy.load(homes["qwen3_vl"], device="cpu")
    paper = policy.load(homes["qwen2_5_vl"], device="cpu")
    assert "trajectory" not in short.processor.render(PROMPTS[0])
    assert "trajectory" in paper.processor.render(PROMPTS[0])


def test_a_saved_policy_is_stock_and_holds_no_pickles(qwen3: VLM, tmp_path) -> None:
    qwen3.save(tmp_path)
    assert "shared_prompt" not in (tmp_path / "config.json").read_text()
    processor = json.loads((tmp_path / "processor_config.json").read_text())
    assert processor["processor_class"] == "Qwen3VLProcessor"
    kinds = {file.suffix for file in tmp_path.iterdir()}
    assert kinds == {".json", ".jinja", ".safetensors"}


def test_a_path_that_does_not_exist_is_named_and_not_looked_up() -> None:
    with pytest.raises(FileNotFoundError, match="assets/tinny"):
        policy.load("assets/tinny")


def test_the_names_are_those_of_the_configuration() -> None:
    assert {"tiny", "qwen2_5_vl_3b", "qwen3_vl_2b"} <= set(policy.list_names())


def test_an_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"'tinny'.*qwen2_5_vl_3b.*tiny"):
        policy.load("tinny")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("config.json", "config.json"),
        ("model.safetensors", "weights"),
        ("tokenizer.json", "a tokenizer"),
        ("preprocessor_config.json", "an image processor"),
    ],
)
def test_a_missing_file_is_named(homes, tmp_path, file: str, message: str) -> None:
    copy_directory(homes["qwen3_vl"], tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(FileNotFoundError, match=message):
        policy.load(tmp_path)


def test_a_missing_chat_template_is_named(homes, tmp_path) -> None:
    copy_directory(homes["qwen3_vl"], tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match="no chat template"):
        policy.load(tmp_path)


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content[-1].text }}",  # leaves the image out
        "{{ messages[0].content + '.' }}",  # of a language model
    ],
)
def test_a_chat_template_without_images_is_named(homes, tmp_path, template) -> None:
    copy_directory(homes["qwen3_vl"], tmp_path)
    (tmp_path / "chat_template.jinja").write_text(template)
    with pytest.raises(ValueError, match="no place for images.*chat_template.jinja"):
        policy.load(tmp_path)


def test_a_tokenizer_without_padding_pads_all_the_same(homes, tmp_path) -> None:
    copy_directory(homes["qwen3_vl"], tmp_path)
    file = tmp_path / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["pad_token"]
    file.write_text(json.dumps(config))
    vlm = policy.load(tmp_path, device="cpu")
    torch.testing.assert_close(
        score(vlm), score(policy.load(homes["qwen3_vl"], device="cpu"))
    )


def test_a_prompt_beyond_the_context_is_an_error_and_never_cut(qwen3: VLM) -> None:
    long = replace(PROMPTS[0], instruction="lift " * 3000)
    with pytest.raises(ValueError, match=r"prompt of \d{4} tokens.*context of 2048"):
        qwen3.sample([long], 1, temperature=1.0, max_new_tokens=4)
    with pytest.raises(ValueError, match="none is cut"):
        qwen3.score([long], COMPLETIONS[:1], temperature=1.0)


def test_weights_that_are_not_finite_are_named_before_anything_is_said(
    qwen3: VLM,
) -> None:
    with torch.no_grad():
        qwen3.model.get_decoder().norm.weight.fill_(torch.nan)
    for temperature in (0.0, 1.0):
        with pytest.raises(FloatingPointError, match="weights are damaged"):
            qwen3.sample(PROMPTS, 2, temperature=temperature, max_new_tokens=4)


def test_cut_off_weights_are_damaged(homes, tmp_path) -> None:
    copy_directory(homes["qwen3_vl"], tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ValueError, match="damaged"):
        policy.load(tmp_path)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_nobody_waits_for_a_pipe(homes, tmp_path, file: str) -> None:
    copy_directory(homes["qwen3_vl"], tmp_path)
    (tmp_path / file).unlink()
    os.mkfifo(tmp_path / file)
    with pytest.raises(ValueError, match=f"{file} is no regular file"):
        policy.load(tmp_path)


def test_a_header_that_is_too_deep_is_damaged(homes, tmp_path) -> None:
    copy_directory(homes["qwen3_vl"], tmp_path)
    header = b"[" * 100_000
    length = len(header).to_bytes(8, "little")
    (tmp_path / "model.safetensors").write_bytes(length + header)
    with pytest.raises(ValueError, match="are damaged: no header"):
        policy.load(tmp_path)


def test_a_missing_weight_is_an_error_and_not_a_random_one(homes, tmp_path) -> None:
    copy_directory(homes["qwen3_vl"], tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.language_model.norm.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"1 missing.*language_model\.norm"):
        policy.load(tmp_path)


def test_a_text_model_is_refused(homes, tmp_path) -> None:
    copy_directory(homes["qwen3_vl"], tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ValueError, match="not an image-text-to-text model"):
        policy.load(tmp_path)


def copy_directory(source: Path, target: Path) -> None:
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
