"""The processor: its name, and whether it multiplies in bfloat16.

This file must not import torch: what it tells decides how torch starts.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FLAGS = ("avx512_bf16", "amx_bf16", "bf16")  # of AVX-512, AMX and ARM
_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """What computes.

    Attributes:
        name: As the maker calls it.
        bf16: Its instructions that multiply in bfloat16; none where they are emulated
            by others, which takes several times as long as float32.
    """

    name: str
    bf16: tuple[str, ...]


@cache
def read_processor() -> Processor:
    """Returns this machine's; where the system tells nothing, one without bfloat16."""
    text = _INFO.read_text() if _INFO.is_file() else ""
    rows = (line.partition(":") for line in text.splitlines())
    known = {key.strip(): value.strip() for key, _, value in rows}
    flags = (known.get("flags") or known.get("Features") or "").split()
    return Processor(
        name=known.get("model name") or platform.processor() or platform.machine(),
        bf16=tuple(flag for flag in FLAGS if flag in flags),
    )
