"""Policy directories of somebody who means harm: nothing runs, nobody is asked."""

from __future__ import annotations

import json
import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harm import Bomb, say_yes
from miniatures import build_qwen3_vl

import policy
from policy.model.origin import bounds

SECONDS = 60  # beside other work
STEPS, MEMORY = 2_000_000, 2**28  # a tenth of the usual bounds: a second, not ten
CONFIGS = (
    *("config.json", "preprocessor_config.json", "processor_config.json"),
    *("video_preprocessor_config.json", "tokenizer_config.json"),
)
INDEX = "model.safetensors.index.json"
TEMPLATE = "chat_template.jinja"
IMAGE = "{% for part in messages[0].content %}{{ part.type }}{% endfor %}"
Edit = Callable[[Path], object]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policies") / "honest"
    build_qwen3_vl(path)
    return path


@pytest.fixture
def home(honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to spoil; where it is asked whether to run code, somebody says yes."""
    monkeypatch.setattr("builtins.input", say_yes(tmp_path / "asked"))
    monkeypatch.setattr(bounds, "STEPS", STEPS)
    monkeypatch.setattr(bounds, "MEMORY", MEMORY)
    return Path(shutil.copytree(honest, tmp_path / "policy"))


def change(home: Path, file: str, **values: Any) -> None:
    path = home / file
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(old | values))


def change_text(home: Path, **values: Any) -> None:
    text = json.loads((home / "config.json").read_text())["text_config"]
    change(home, "config.json", text_config=text | values)


def write(home: Path, file: str, text: str) -> None:
    (home / file).write_text(text)


def name_code(home: Path, *files: str) -> None:
    """Lets files name classes of a program beside them, which leaves a mark."""
    mark = home.parent / "executed"
    (home / "evil.py").write_text(
        f"import pathlib\npathlib.Path({str(mark)!r}).touch()\nclass Evil: pass\n"
    )
    kinds = ("Config", "Processor", "ImageProcessor", "VideoProcessor", "Tokenizer")
    names: dict[str, Any] = {f"Auto{kind}": "evil.Evil" for kind in kinds}
    names["AutoTokenizer"] = ["evil.Evil", "evil.Evil"]
    names["AutoModelForImageTextToText"] = "evil.Evil"
    for file in files:
        change(home, file, auto_map=names)


def name_unknown_code(home: Path) -> None:
    name_code(home, "config.json")
    change(home, "config.json", model_type="evil", architectures=["Evil"])


def lay_bomb(home: Path, file: str) -> None:
    """Writes a pickle that leaves a mark where it is loaded."""
    (home / file).write_bytes(pickle.dumps(Bomb(home.parent / "executed")))


def point(home: Path, target: str) -> None:
    """Lets the index of weights name another file, in which there is a bomb."""
    for name in ("evil.bin", "../outside.safetensors"):
        lay_bomb(home, name)
    write(home, INDEX, json.dumps({"metadata": {}, "weight_map": {"x": target}}))


def leave_pickles(home: Path) -> None:
    (home / "model.safetensors").unlink()
    lay_bomb(home, "pytorch_model.bin")


def add_adapters(home: Path) -> None:
    content = {"base_model_name_or_path": "evil/base", "peft_type": "LORA"}
    write(home, "adapter_config.json", json.dumps(content))
    lay_bomb(home, "adapter_model.bin")


GROWING = "{% set s = namespace(x='ab') %}{% for i in range(60) %}"
NAMED = {file: (file,) for file in CONFIGS} | {"all": CONFIGS}
HOSTILE: dict[str, tuple[Edit, str]] = {
    "unknown code": (name_unknown_code, "'evil' is unknown.*is never run"),
    "a pickle in the index": (lambda h: point(h, "evil.bin"), "names 'evil.bin'"),
    "a file elsewhere": (lambda h: point(h, "/etc/passwd"), "names '/etc/passwd'"),
    "a file outside": (
        lambda h: point(h, "../outside.safetensors"),
        "names '../outside.safetensors': weights are",
    ),
    "pickles for weights": (leave_pickles, r"weights \(\*\.safetensors\) missing"),
    "adapters of another": (add_adapters, "adapters alone are no policy"),
    "a kernel of the hub": (
        lambda h: change(h, "config.json", attn_implementation="evil/kernel"),
        "'evil/kernel', which would be downloaded",
    ),
    "a kernel further in": (
        lambda h: change_text(h, _attn_implementation="evil/kernel:run"),
        "'evil/kernel:run', which would be downloaded",
    ),
    "a vocabulary elsewhere": (
        lambda h: change(h, "tokenizer_config.json", vocab_file="/etc/passwd"),
        "vocab_file is '/etc/passwd'; a file beside it",
    ),
    "a million layers": (
        lambda h: change_text(h, num_hidden_layers=10**6),
        "config.json does not come to an end|layer",
    ),
    "layers of a terabyte": (
        lambda h: change_text(h, intermediate_size=10**10),
        r"config\.json describes a model of .* numbers, but the weights",
    ),
    "brackets without an end": (
        lambda h: write(h, "config.json", "[" * 10**6),
        r"config\.json is not JSON",
    ),
    "an endless template": (
        lambda h: write(h, TEMPLATE, "{% for i in range(99999) %}" * 3
                        + "{% endfor %}" * 3),
        r"chat template of .*policy does not come to an end",
    ),
    "a template that calls itself": (
        lambda h: write(h, TEMPLATE, "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"),
        r"chat template of .*policy calls itself",
    ),
    "a template that grows": (
        lambda h: write(h, TEMPLATE, GROWING + "{% set s.x = s.x ~ s.x %}{% endfor %}"),
        r"chat template of .*policy takes more than 256 MiB",
    ),
    "a template that reaches out": (
        lambda h: write(h, TEMPLATE, "{{ ''.__class__.__mro__[1].__subclasses__() }}"),
        "the chat template of .*policy",
    ),
    "an image of a terabyte": (
        lambda h: change(h, "preprocessor_config.json", size={
            "shortest_edge": 10**12, "longest_edge": 10**13}),
        "processor or chat template of .*policy takes more than 256 MiB|not take",
    ),
}  # fmt: skip


@pytest.mark.parametrize("files", NAMED.values(), ids=NAMED)
def test_code_that_files_name_is_left_alone(home: Path, files: tuple[str, ...]) -> None:
    name_code(home, *files)
    policy.load(home, device="cpu")
    assert not {"executed", "asked"} & {one.name for one in home.parent.iterdir()}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_policy_is_refused_in_one_line(home: Path, name: str) -> None:
    spoil, line = HOSTILE[name]
    spoil(home)
    start = time.monotonic()
    with pytest.raises((ValueError, FileNotFoundError), match=line) as caught:
        policy.load(home, device="cpu")
    assert time.monotonic() - start < SECONDS
    assert str(home) in str(caught.value)
    assert not {"executed", "asked"} & {one.name for one in home.parent.iterdir()}
