"""Measures speed: `python scripts/bench.py out=bench.json`.

Prints a table and writes JSON: seconds of each stage of a GRPO step, the same beside
TRL's GRPOTrainer and beside the plain path, its growth with the number of answers, and
what stands above bare physics, bare rendering and bare matrix products. Each figure is
the median of several rounds with the lowest and the highest; some have a bar to meet.

`parts=[trl,growth]` leaves the others out. `size=3b` measures a model of the size of
Qwen2.5-VL-3B with random weights, for a GPU; `size=miniature` is the same in small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from launching.choices import spell_command
from launching.launch import launch
from launching.policies import load_policy, read_lora
from launching.settings import build
from omegaconf import DictConfig, OmegaConf

# In this order: what comes later would raise the peak of memory of what came before.
PARTS = (
    *("step", "growth", "plain", "bound"),
    *("scenes", "images", "execution", "scale", "trl", "trl_step"),
)
NO_RAY = "what compares with Ray is left out; to have it: pip install -e '.[ray]'"
NO_TRL = "what compares with TRL is left out; to have it: pip install -e '.[test]'"


def main(config: DictConfig) -> None:
    """Runs the parts and writes what they found."""
    from benchmarks.figures import tabulate, write
    from rich.console import Console

    console, figures = Console(quiet=config.quiet), {}
    parts = choose_parts(config.parts)
    if find_spec("trl") is None and any(part.startswith("trl") for part in parts):
        console.print(NO_TRL, markup=False)
        parts = [part for part in parts if not part.startswith("trl")]
    if find_spec("ray") is None and "scale" in parts:
        console.print(NO_RAY, markup=False)
    bars: Any = OmegaConf.to_container(config.bars) if config.bars else {}
    choose_numbers(config)
    with open_workload(config) as work:
        work = choose_trl_numbers(work, parts)
        for part in parts:
            with console.status(f"measuring {part}"):
                figures |= find_part(part)(work)
    console.print(tabulate(figures, bars))
    if config.out:
        write(Path(config.out), describe_machine(work), figures, bars)


def choose_numbers(config: DictConfig) -> None:
    """Replaces algo.bf16=auto by what is faster for the policy of policy=."""
    from policy.grpo.config import GRPOConfig
    from policy.rollout.config import RolloutConfig
    from policy.rollout.scene_source import SceneSource
    from policy.training.job import Job
    from policy.training.precision import choose_precision
    from rewards import RewardMix

    wanted, config.algo.bf16 = config.algo.bf16, False
    needed = {"step", "trl", "trl_step"}.intersection(config.parts)
    own = not needed or config.size.random is not None  # in float32, or as size= says
    if wanted is True and own:
        raise ValueError("algo.bf16=true: is for the steps of policies with weights")
    if wanted is False or own:
        return
    job = Job(
        source=SceneSource(names=(config.env.name,)),
        mix=build(RewardMix, config.reward),
        algo=build(GRPOConfig, config.algo),
        rollout=build(RolloutConfig, config.rollout),
    )
    chosen = choose_precision(load_policy(config.policy), job, wanted)
    config.algo.bf16 = chosen.bf16


def choose_trl_numbers(work: Any, parts: Sequence[str]) -> Any:
    """Lets TRL multiply in what is faster for it, if it is measured."""
    if not any(part.startswith("trl") for part in parts):
        return work
    from benchmarks.beside_trl import choose_numbers

    return replace(work, trl_bf16=choose_numbers(work))


def choose_parts(names: Sequence[str]) -> list[str]:
    """Returns the parts asked for, in order."""
    wrong = sorted(set(names) - set(PARTS))
    if wrong:
        raise ValueError(f"parts has {wrong}; choose from {', '.join(PARTS)}")
    return [part for part in PARTS if part in names]


def find_part(name: str) -> Callable[[Any], Any]:
    """Returns what measures a part."""
    from benchmarks import bound, growth, plain, scale, simulator, step

    if name.startswith("trl"):
        from benchmarks import beside_trl as trl

        return {"trl": trl.measure_models, "trl_step": trl.measure_steps}[name]
    return {
        "step": step.measure_step,
        "growth": growth.measure_growth,
        "plain": plain.measure_plain,
        "bound": bound.measure_bounds,
        "scenes": simulator.measure_scenes,
        "images": simulator.measure_images,
        "execution": simulator.measure_execution,
        "scale": scale.measure_scale,
    }[name]


def check(config: DictConfig) -> None:
    """Refuses parts that do not exist, and figures that cannot be written."""
    from launching.checks import check_file

    choose_parts(config.parts)
    if config.out:
        check_file(Path(str(config.out)))  # whatever its ending


@contextmanager
def open_workload(config: DictConfig) -> Iterator[Any]:
    """Yields what the parts measure; a model of random weights lives as long."""
    from benchmarks.workload import Size, Workload

    from policy.grpo.config import GRPOConfig
    from policy.model.loading import find_directory
    from policy.rollout.config import RolloutConfig
    from policy.rollout.scene_source import SceneSource
    from policy.rollout.workers import Workers
    from rewards import RewardMix

    size: Any = OmegaConf.to_container(config.size)
    random, node = size.pop("random"), config.policy.copy()
    rollout = build(RolloutConfig, config.rollout)
    with TemporaryDirectory() as folder, Workers.of(rollout) as workers:
        if random is not None:
            from policy.model.random_weights import build_qwen2_5_vl

            node.path = folder
            build_qwen2_5_vl(Path(folder), **random, dtype=node.dtype)
        yield Workload(
            home=find_directory(node.path),
            dtype=node.dtype,
            lora=read_lora(node.lora),
            gradient_checkpointing=node.gradient_checkpointing,
            load=partial(load_policy, node),
            source=SceneSource(names=(config.env.name,)),
            mix=build(RewardMix, config.reward),
            algo=build(GRPOConfig, config.algo),
            rollout=rollout,
            workers=workers,
            size=Size(**size),
        )


def describe_machine(work: Any) -> dict[str, Any]:
    """Returns how the figures are made, and on what."""
    from policy.runtime.manifest import make_manifest

    # Of the step and of ours beside TRL; the other parts are in float32.
    manifest = make_manifest(spell_command(), _name_numbers(work.algo.bf16))
    return manifest | {"trl_numbers": _name_numbers(work.trl_bf16)}


def _name_numbers(bf16: bool) -> str:
    return "bfloat16" if bf16 else "float32"


if __name__ == "__main__":
    launch("bench", main, check=check)
