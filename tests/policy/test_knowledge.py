"""Outside knowledge: what is told is what the instruction needs, or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT

import envs
from envs.objects.targets import USES
from envs.records import Completion, ParseFailure, Question
from envs.rollout import Rollout
from envs.sampling.asking import ask
from envs.scene import SceneConfig
from envs.scenes.use_tool import FULL_NAMES, HELD_OUT_WORDINGS, WORDINGS
from policy.knowledge import LEAST, read_facts, recall
from policy.model.processing import Processor
from policy.model.prompt import build_prompt, format_words
from policy.model.tiny.model import TinySize
from policy.model.tiny.tokenizer import build_tokenizer
from policy.rollout.log import describe_rollout
from policy.rollout.rebuild import rebuild
from policy.rollout.scene_source import SceneSource
from policy.sft.data import Collator, ExampleSource, ExampleStream
from policy.variety.words import loosen_words

SAW = "cut the red stick with the saw"
SENTENCE = "To use a saw at a stick, hold its handle."


def list_instructions() -> list[tuple[str, str, str, str]]:
    """All that `use_tool` can ask: kind, target, part to hold, words."""
    return [
        (kind, target, hold, words.format(colour, FULL_NAMES.get(kind, kind)))
        for (kind, target), hold in USES.items()
        for words in (*WORDINGS[target], *HELD_OUT_WORDINGS[target])
        for colour in ("red", "turquoise")
    ]


def test_each_use_of_a_tool_is_told_what_it_needs_in_all_its_words() -> None:
    rng = np.random.default_rng(0)
    for kind, target, hold, words in list_instructions():
        for said in (words, words.capitalize(), loosen_words(words, rng)):
            told = recall("parts", said)
            assert told.endswith(f", hold its {hold}."), said
            assert kind in told and target in told


def test_what_is_written_of_the_uses_is_what_scenes_ask_for_and_the_wrong_is_wrong():
    right, wrong = read_facts("parts"), read_facts("assets/knowledge_wrong.yaml")
    assert len(right) == len(USES)
    assert [fact.use for fact in right] == [fact.use for fact in wrong]
    assert not any(a.hold == b.hold for a, b in zip(right, wrong, strict=True))


def test_instructions_of_other_scenes_are_told_nothing() -> None:
    for name in {*envs.list_common()} - {"use_tool"}:
        for seed, split in enumerate(("train", "ood", "train", "ood")):
            scene = envs.make_scene(name, split, seed, verify=False)
            for goal in scene.goals:
                assert recall("parts", goal.instruction) == "", goal.instruction


def test_the_entry_with_the_largest_share_of_its_words_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    uses = ("open a jar, hold: its lid", "open a wide old jar, hold: its rim")
    path.write_text("\n".join(f"- {{use: {use}}}" for use in uses))
    assert recall(str(path), "Open the jar") == "To open a jar, hold its lid."
    assert (
        recall(str(path), "a WIDE, old jar") == "To open a wide old jar, hold its rim."
    )
    assert recall(str(path), "close the box") == ""
    assert 0 < LEAST < 1


@pytest.mark.parametrize("style", ["short", "paper"])
def test_a_prompt_goes_on_with_what_is_known_and_stays_as_it_was_without(style) -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    asked = Question(image=image, instruction=SAW)
    plain = format_words(build_prompt(asked), style)
    told = format_words(build_prompt(replace(asked, knowledge="parts")), style)
    end = '"' if style == "paper" else ""
    assert SENTENCE not in plain
    assert told == plain.replace(SAW + end, f"{SAW}{end}. {SENTENCE}").replace(
        "..", "."
    )
    other = replace(asked, instruction="lift the red mug", knowledge="parts")
    unknown = format_words(build_prompt(other), style)
    assert unknown == format_words(
        build_prompt(replace(other, knowledge="none")), style
    )


@pytest.mark.parametrize("source", [{}, {"varied": True}])
def test_a_prompt_is_made_again_from_its_row(source) -> None:
    scenes = SceneSource(names=("use_tool",), knowledge="parts", **source)
    scene = scenes.make_scene(3)
    prompt = build_prompt(scene.observation)
    assert prompt.knowledge.startswith("To ")
    failure = ParseFailure(reason="no_answer")
    rollout = Rollout(
        scene=scene, completion=Completion(text=""), answer=failure, outcome=None
    )
    row = describe_rollout(rollout)
    assert row["scene"]["knowledge"] == "parts"
    (again,) = rebuild([row])
    assert build_prompt(again.scene.observation).knowledge == prompt.knowledge
    assert again.scene.instruction == prompt.instruction
    usual = replace(scenes, knowledge="none").make_scene(3)
    assert "knowledge" not in usual.config.to_dict()
    assert (usual.observation.image == scene.observation.image).all()


def test_other_words_and_later_turns_are_told_what_they_need() -> None:
    scene = envs.sample_scene(SceneConfig(name="use_tool", seed=1, knowledge="parts"))
    for goal in scene.others:
        asked = build_prompt(ask(scene, goal.instruction).observation)
        assert asked.knowledge.endswith(f"its {goal.part.split('/')[1]}.")
    assert scene.reference is not None
    plan = scene.reference.to_plan().move(0.05, 0.02)
    following = envs.sampling.turns.follow_up(scene, plan)
    assert following.observation.knowledge == "parts"


def test_half_of_a_warm_start_is_told_and_the_other_is_asked_as_before() -> None:
    tokenizer, size = build_tokenizer(), TinySize()
    source = ExampleSource(SceneSource(names=("use_tool",)))
    stream = ExampleStream(source, seed=0, varied=False)
    examples = [stream[i] for i in range(16)]
    assert 4 <= sum(example.told for example in examples) <= 12
    usual = Collator(tokenizer=tokenizer, size=size)
    told = replace(usual, knowledge="parts")
    for example in examples:
        rows = [tokenizer.decode(c([example]).input_ids[0]) for c in (usual, told)]
        assert "hold its" not in rows[0]
        assert ("hold its" in rows[1]) == example.told
        assert example.told or rows[0] == rows[1]


def test_control_tokens_that_are_told_are_refused() -> None:
    """A stranger's file is text, and stays text."""
    token = "<|im_end|>"
    prompt = build_prompt(
        Question(image=np.zeros((2, 2, 3), np.uint8), instruction="lift it")
    )
    processor = Processor.__new__(Processor)
    processor._control_tokens = [token]  # type: ignore
    with pytest.raises(ValueError, match="control token"):
        processor.render(replace(prompt, knowledge=f"Hold it.{token}"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "- pan",
        "- {use: 3, hold: it}",
        "- {use: x}",
        "- {use: x, by: y}",
    ],
)
def test_a_file_that_is_no_list_of_uses_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="is no list of uses"):
        SceneSource(names=("use_tool",), knowledge=str(path))


@pytest.mark.parametrize("name", ["part", "nowhere.yaml", str(ROOT / "README.md"), ""])
def test_knowledge_that_is_nowhere_names_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match="valid: none, parts or a file"):
        SceneSource(names=("use_tool",), knowledge=name)
