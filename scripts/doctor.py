"""Says what this machine has and what it lacks: `python scripts/doctor.py`.

One line a check: ok, or what to do. Exits with 1 if something that Graspo needs is
missing. Copy its output into a bug report.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ABOVE = Path(__file__).resolve().parents[1]
IN_CHECKOUT = (ABOVE / "Makefile").is_file()
SETUP = "run `make setup`" if IN_CHECKOUT else "pip install 'graspo[train]'"
FRAMES = 20  # timed; the median counts
NEEDED_GIB = 4  # training takes under 3, the system the rest


class Missing(Exception):
    """Something needed is not there; the message says what to do."""


def check_python() -> str:
    """Version and place of the interpreter."""
    if sys.version_info < (3, 11):  # noqa: UP036  (doctors see the old, too)
        raise Missing(f"{platform.python_version()} is too old: install 3.11 or newer")
    return f"{platform.python_version()} at {sys.executable}"


def check_packages() -> str:
    """Versions of the packages that matter."""
    from policy.runtime.machine import list_versions

    versions = list_versions()
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        raise Missing(f"{', '.join(missing)} not installed: {SETUP}")
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def check_torch() -> str:
    """Build, device and threads of torch."""
    import torch

    from policy.runtime.machine import name_gpu

    device = name_gpu() or "no GPU in use, training runs on the CPU"
    return f"{torch.__version__}, {torch.get_num_threads()} threads, {device}"


def check_gl() -> str:
    """Backend and renderer of images."""
    from envs.cameras.gl import NoGL
    from policy.runtime.machine import name_gl

    try:
        return name_gl()
    except NoGL as error:
        raise Missing(str(error)) from error


def check_frame() -> str:
    """Time of one image of a real scene."""
    import envs
    from envs.cameras.gl import NoGL
    from envs.cameras.render import render
    from envs.cameras.viewpoint import CAMERA

    try:
        scene = envs.make_scene("pick_mug", verify=False)
    except NoGL as error:
        raise Missing("no images without an OpenGL context") from error
    times = []
    for _ in range(FRAMES):
        start = time.perf_counter()
        image = render(scene.state, CAMERA, 224, 224)
        times.append(1000 * (time.perf_counter() - start))
    if image.std() == 0:
        raise Missing("the image is empty: try MUJOCO_GL=osmesa")
    return f"224 x 224 in {statistics.median(times):.1f} ms"


def check_cores() -> str:
    """Cores that this process may use, and limits on threads."""
    from policy.runtime.machine import count_cores

    limits = [
        f"{name}={os.environ[name]}"
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
        if name in os.environ
    ]
    return ", ".join([f"{count_cores()} usable", *limits])


def check_memory() -> str:
    """Memory that is free."""
    gib = os.sysconf("SC_PAGE_SIZE") / 2**30
    total, free = (os.sysconf(k) * gib for k in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    if total < NEEDED_GIB:
        raise Missing(f"{total:.1f} GiB; training needs a machine with {NEEDED_GIB}")
    return f"{total:.1f} GiB, {free:.1f} free"


def check_policy() -> str:
    """The default policy is there and loads."""
    import policy

    start = time.perf_counter()
    try:
        vlm = policy.load("tiny")
    except (FileNotFoundError, ValueError) as error:
        raise Missing(f"{error}: restore assets/tiny from git") from error
    millions = sum(p.numel() for p in vlm.model.parameters()) / 1e6
    seconds = time.perf_counter() - start
    return f"{millions:.1f} million parameters, loaded in {seconds:.1f} s"


def check_precision() -> str:
    """In which numbers an update of the default policy would multiply here."""
    import policy
    from policy.grpo.config import GRPOConfig
    from policy.rollout.config import RolloutConfig
    from policy.rollout.scene_source import SceneSource
    from policy.runtime.processor import read_processor
    from policy.training.job import Job
    from policy.training.precision import AUTO, choose_precision
    from rewards import RewardMix

    job = Job(
        source=SceneSource(names=("pick_mug",)),
        mix=RewardMix(weights={"success": 1.0}),
        algo=GRPOConfig(),
        rollout=RolloutConfig(),
    )
    chosen = choose_precision(policy.load("tiny"), job, AUTO)
    numbers = "bfloat16" if chosen.bf16 else "float32"
    return f"{numbers} on {read_processor().name}: {chosen.reason}"


CHECKS: dict[str, Callable[[], str]] = {
    "python": check_python,
    "packages": check_packages,
    "torch": check_torch,
    "OpenGL": check_gl,
    "frame": check_frame,
    "cores": check_cores,
    "memory": check_memory,
    "policy tiny": check_policy,
    "precision": check_precision,
}


def explain(error: Exception) -> str:
    """Says what is wrong, and what to do where that is known."""
    if isinstance(error, Missing):
        return str(error)
    if isinstance(error, ImportError):
        return f"{error}: {SETUP}"
    return f"{type(error).__name__}: {error}"


def main(words: Sequence[str] = ()) -> int:
    """Runs every check; one that fails does not keep the others from running.

    Args:
        words: Of the command line, which takes none but --help.
    """
    if not {"--help", "-h"}.isdisjoint(words):
        print(__doc__)
        return 0
    if words:
        print(f"error: doctor takes only --help, not {words[0]!r}", file=sys.stderr)
        return 2
    failures = 0
    for name, check in CHECKS.items():
        try:
            mark, text = "ok", check()
        except Exception as error:  # noqa: BLE001 whatever ails a machine
            failures += 1
            mark, text = "MISSING", explain(error)
        print(f"{mark:8}{name:12}{text}", flush=True)
    print(f"{failures} of {len(CHECKS)} need something" if failures else "all is well")
    return int(failures > 0)


if __name__ == "__main__":
    if IN_CHECKOUT:
        sys.path.insert(0, str(ABOVE))
    sys.exit(main(sys.argv[1:]))
