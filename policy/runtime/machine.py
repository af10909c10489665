"""What computes and draws, and with what: of this machine and its packages.

A doctor asks here where packages are missing, so each function imports its own.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from policy.runtime.processor import read_processor

# A run depends on these; without the others Graspo works in part.
PACKAGES = (
    *("torch", "transformers", "peft", "tokenizers", "safetensors"),
    *("mujoco", "gymnasium", "numpy", "scipy", "pillow"),
    *("hydra-core", "imageio", "tensorboard", "rich"),
)


def list_versions(names: Iterable[str] = PACKAGES) -> dict[str, str | None]:
    """Returns the versions of packages; None of those that are not installed."""
    versions: dict[str, str | None] = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def count_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def name_gl() -> str:
    """Returns backend and renderer of images.

    Raises:
        NoGL: If there are no images; says what to install.
    """
    from envs.cameras.gl import name_renderer

    renderer = name_renderer()
    return f"{os.environ.get('MUJOCO_GL', 'default')}, {renderer}"


def name_gpu() -> str | None:
    """Returns the GPU that torch would use, None if it has none."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def describe_machine() -> dict[str, Any]:
    """Returns what figures were measured on, as flat data for JSON."""
    import torch

    from envs.cameras.gl import NoGL

    processor = read_processor()
    try:
        renderer = name_gl()
    except NoGL:
        renderer = None
    return {
        "system": platform.platform(),
        "processor": processor.name,
        "bf16": ", ".join(processor.bf16),
        "cores": count_cores(),
        "threads": torch.get_num_threads(),
        "gpu": name_gpu(),
        "gl": renderer,
        "python": platform.python_version(),
        **list_versions(),
    }
