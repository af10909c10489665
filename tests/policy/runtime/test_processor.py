"""The processor is read from what the system says of it."""

import pytest

from policy.runtime import processor

X86 = "processor\t: 0\nmodel name\t: A CPU\nflags\t\t: fpu avx512_bf16 sse amx_bf16\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n"
OLD = "model name\t: Old CPU\nflags\t\t: fpu avx2 f16c\n"


@pytest.mark.parametrize(
    ("text", "flags"),
    [(X86, ("avx512_bf16", "amx_bf16")), (ARM, ("bf16",)), (OLD, ()), ("", ())],
)
def test_instructions_for_bfloat16_are_found_by_name(
    monkeypatch, tmp_path, text, flags
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(processor, "_INFO", tmp_path / "cpuinfo")
    found = processor.read_processor.__wrapped__()
    assert found.bf16 == flags and found.name


def test_a_system_that_tells_nothing_has_none(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(processor, "_INFO", tmp_path / "nothing")
    assert processor.read_processor.__wrapped__().bf16 == ()
