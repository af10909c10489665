"""Each file of a run that is damaged is named, with what to do, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import call

from policy.runtime.seal import digest_files

Damage = Callable[[bytes], bytes]


def empty(content: bytes) -> bytes:
    return b""


def scramble(content: bytes) -> bytes:
    return b"\xff\xfe\x00" + content[::-1]


def cut(content: bytes) -> bytes:
    """Ends the first line in its middle."""
    first, end, rest = content.partition(b"\n")
    return first[: len(first) // 2] + end + rest


def drop_first(content: bytes) -> bytes:
    return content.partition(b"\n")[2]


def nest(content: bytes) -> bytes:
    return b"[" * 200_000 + b"\n"


def swap(old: bytes, new: bytes) -> Damage:
    def damage(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new)

    return damage


OTHER = "is of another version of Graspo, which differs in "
DAMAGES: dict[str, tuple[str, Damage, str]] = {
    "no configuration": ("config.yaml", empty, "config.yaml is damaged or empty"),
    "binary configuration": ("config.yaml", scramble, "config.yaml is damaged ("),
    "an older version's": ("config.yaml", swap(b"\nvaried: ", b"\nv: "), OTHER + "v, "),
    "a word for a number": (
        "config.yaml",
        swap(b"steps: 2", b"steps: many"),
        "config.yaml: steps=many: must be a whole number",
    ),
    "an edited configuration": (
        "config.yaml",
        swap(b"optimizer: adam", b"optimizer: muon"),
        "is not that of step_2: put it back",
    ),
    "metrics cut": ("metrics.jsonl", cut, "metrics.jsonl, line 1 is damaged"),
    "metrics nested": ("metrics.jsonl", nest, "metrics.jsonl, line 1 is damaged"),
    "metrics too short": ("metrics.jsonl", drop_first, "metrics.jsonl lacks lines"),
    "no metrics": ("metrics.jsonl", empty, "metrics.jsonl lacks lines"),
    "binary answers": ("rollouts.jsonl", scramble, "rollouts.jsonl, line 1 is damaged"),
    "no first figures": ("before.json", empty, "before.json is damaged: remove it"),
    "binary manifest": ("manifest.json", scramble, "manifest.json is damaged"),
    "first answers cut": ("evaluations/before.jsonl", cut, "before.jsonl, line 1"),
    "binary first answers": ("evaluations/before.jsonl", scramble, "before.jsonl, lin"),
    "other first answers": (
        "evaluations/before.jsonl",
        swap(b'"scene"', b'"scenery"'),
        "before.jsonl, line 1",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_named_and_nothing_is_lost(run: Path, name: str) -> None:
    file, damage, line = DAMAGES[name]
    path = run / file
    path.write_bytes(damage(path.read_bytes()))
    whole = digest_files(run)
    said = call("train", f"resume={run}", "steps=3")
    assert line in said and str(run) in said and "\n" not in said
    now = digest_files(run)
    grown = {"config.yaml", "manifest.json"}  # by the steps, and by a date
    assert now.keys() == whole.keys()
    assert {name for name in now if now[name] != whole[name]} <= grown
