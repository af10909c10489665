"""Checkpoints: what a run needs to go on as if it had never stopped.

`checkpoints/step_<n>/` is a Hugging Face directory of the averaged weights, usable as
a policy, with `trainer.safetensors` beside it: weights, their average and the
optimizer's state with the masters of bfloat16 weights, all exact. There is no random
state to keep: every step draws from generators seeded by the run's seed and its own
number. A checkpoint is written under another name and renamed when complete, so a
directory called step_<n> is always whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from policy.grpo.average import WeightAverage, copy_weights, list_trainable
from policy.grpo.config import GRPOConfig
from policy.grpo.optimizer import build_optimizer
from policy.model.vlm import VLM
from policy.runtime.whole import write_whole

STATE_FILE = "trainer.safetensors"
_NAME = re.compile(r"step_(\d+)")


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


def save_checkpoint(learner: Learner, folder: Path, step: int) -> Path:
    """Writes `folder`/step_<step>, complete or not at all."""

    def write(path: Path) -> None:
        save_policy(learner, path)
        save_file(_pack(learner), path / STATE_FILE)

    return write_whole(folder / f"step_{step}", write)


def save_policy(learner: Learner, path: Path) -> None:
    """Writes the averaged weights as a Hugging Face directory."""
    with learner.average.applied(learner.vlm):
        learner.vlm.save(path)


def load_checkpoint(learner: Learner, folder: Path) -> int:
    """Restores the newest checkpoint in a folder.

    Returns:
        Its step; 0 if there is none, and the learner stays as it is.
    """
    step = find_newest(folder)
    if step:
        _unpack(learner, load_file(folder / f"step_{step}" / STATE_FILE))
    return step


def find_newest(folder: Path) -> int:
    """Returns the step of the newest checkpoint in a folder, 0 if there is none."""
    return max(map(_read_step, folder.glob("step_*")), default=0)


def _read_step(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


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
