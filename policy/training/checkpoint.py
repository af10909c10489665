"""Checkpoints: what a run needs to go on as if it had never stopped.

`checkpoints/step_<n>/` is a Hugging Face directory of the averaged weights, usable as
a policy, with `trainer.safetensors` beside it: weights, their average and the
optimizer's state with the masters of bfloat16 weights, all exact. There is no random
state to keep: every step draws from generators seeded by the run's seed and its own
number. `policy.runtime.steps` writes them whole and finds the newest sound one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from policy.grpo.average import WeightAverage, copy_weights, list_trainable
from policy.grpo.config import GRPOConfig
from policy.grpo.optimizer import build_optimizer
from policy.model.vlm import VLM
from policy.runtime.seal import read_facts
from policy.runtime.steps import find_newest, save_step

SAMPLED = 64  # numbers of a weight that tell it from another
STATE_FILE = "trainer.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """What training changes.

    Attributes:
        vlm: The policy.
        optimizer: Over its trainable weights.
        average: Their running average.
    """

    vlm: VLM
    optimizer: torch.optim.Optimizer
    average: WeightAverage


def build_learner(vlm: VLM, config: GRPOConfig) -> Learner:
    """Returns a learner before its first step."""
    return Learner(
        vlm=vlm,
        optimizer=build_optimizer(vlm, config),
        average=WeightAverage(vlm, config.average_decay),
    )


def save_checkpoint(
    learner: Learner, folder: Path, step: int, *, config: str = "", keep: int = 0
) -> Path:
    """Writes `folder`/step_<step>, complete or not at all.

    Args:
        learner: What is written.
        folder: That of the run's checkpoints.
        step: The step just taken.
        config: A digest of the run's configuration, to know it again.
        keep: How many of the newest stay; 0 keeps all.
    """

    def write(path: Path) -> None:
        save_policy(learner, path)
        save_file(_pack(learner), path / STATE_FILE)

    base = sample_base(learner.vlm)
    return save_step(folder, step, write, keep=keep, config=config, base=base)


def save_policy(learner: Learner, path: Path) -> None:
    """Writes the averaged weights as a Hugging Face directory."""
    with learner.average.applied(learner.vlm):
        learner.vlm.save(path)


def load_checkpoint(learner: Learner, folder: Path, step: int) -> None:
    """Restores the checkpoint of a step; 0 leaves the learner as it is.

    Raises:
        ValueError: What does not train has other weights than when it was made.
    """
    if not step:
        return
    path = folder / f"step_{step}"
    facts, base = read_facts(path), sample_base(learner.vlm)
    if facts.get("base", base) != base:
        raise ValueError(
            f"{path} was made from other weights than policy= has now: put them back, "
            "or start a new run from the checkpoint by policy="
        )
    _unpack(learner, load_file(path / STATE_FILE))


def sample_base(vlm: VLM) -> str:
    """Returns a digest of some numbers of each weight that does not train."""
    digest = hashlib.blake2b(digest_size=16)
    for name, weight in vlm.model.named_parameters():
        if not weight.requires_grad:
            few = weight.detach().flatten()[:: max(1, weight.numel() // SAMPLED)]
            digest.update(name.encode() + few.float().cpu().numpy().tobytes())
    return digest.hexdigest()


def find_sound(
    folder: Path, config: str, tell: Callable[[str], None] = lambda line: None
) -> int:
    """Returns the step of the newest checkpoint that is as it was written, 0 if none.

    Args:
        folder: That of the run's checkpoints.
        config: The digest of the run's configuration.
        tell: Told of each newer one that is damaged.

    Raises:
        ValueError: The configuration is another one than when the checkpoint was made,
            or there are checkpoints and all are damaged.
    """
    if not (saved := find_newest(folder, tell)):
        return 0
    if saved.facts.get("config") != config:
        raise ValueError(
            f"config.yaml beside {folder} is not that of {saved.path.name}: put it "
            "back as it was, or start a new run from the checkpoint by policy="
        )
    return saved.step


def _pack(learner: Learner) -> dict[str, Tensor]:
    tensors = {f"average.{k}": v for k, v in learner.average.weights.items()}
    for name, parameter in list_trainable(learner.vlm):
        tensors[f"weight.{name}"] = parameter.detach()
        for key, value in learner.optimizer.state[parameter].items():
            tensors[f"state.{key}.{name}"] = value
    return {k: v.contiguous().cpu().clone() for k, v in tensors.items()}


def _unpack(learner: Learner, tensors: dict[str, Tensor]) -> None:
    parts: dict[str, dict[str, Tensor]] = {"average": {}, "weight": {}, "state": {}}
    for key, tensor in tensors.items():
        kind, name = key.split(".", 1)
        parts[kind][name] = tensor
    copy_weights(parts["weight"], learner.vlm)
    for name, average in learner.average.weights.items():
        average.copy_(parts["average"][name])
    parameters = dict(list_trainable(learner.vlm))
    for key, tensor in parts["state"].items():
        moment, name = key.split(".", 1)
        parameter = parameters[name]
        device = "cpu" if moment == "step" else parameter.device
        learner.optimizer.state[parameter][moment] = tensor.to(device)
