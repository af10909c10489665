"""Whether a device multiplies in bfloat16."""

from __future__ import annotations

import torch

from policy.runtime.processor import read_processor


def find_products(device: torch.device) -> str:
    """Returns what of a device multiplies in bfloat16, "" if nothing does."""
    if device.type == "cuda":
        there = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.cuda.get_device_name(device) if there else ""
    return ", ".join(read_processor().bf16) if device.type == "cpu" else ""
