"""The state of a supervised training on disk: weights, moments, place in the stream.

`state/step_<n>/` has the tensors as safetensors and the progress as JSON; the one
before it stays. `policy.runtime.steps` writes them whole and finds the newest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from policy.runtime.steps import find_newest, save_step
from policy.runtime.whole import replace_text

FOLDER, PROGRESS = "state", "progress.json"
KEPT = 2  # states: the newest, and one to go back to


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where a training stands.

    Attributes:
        step: Steps done.
        seconds: Seconds of training, checks and saves included.
    """

    step: int = 0
    seconds: float = 0.0


def find_state(run_dir: Path, say: Callable[[str], None] = print) -> Path | None:
    """Returns the newest state that is as it was written, None before the first.

    Args:
        run_dir: The run's directory.
        say: Told of each newer one that is damaged.

    Raises:
        ValueError: There are states, and all are damaged.
    """
    saved = find_newest(run_dir / FOLDER, say)
    return saved.path if saved else None


def trim_log(path: Path, step: int) -> None:
    """Drops the lines of steps after `step`, which a resumed run will write again."""
    if path.is_file():
        lines = path.read_text().splitlines(keepends=True)
        kept = [x for x in lines if x.endswith("\n") and json.loads(x)["step"] <= step]
        replace_text(path, "".join(kept))


def save_state(
    run_dir: Path,
    student: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    progress: Progress,
) -> None:
    """Writes a state, complete or not at all; of those before the newest stays."""

    def write(path: Path) -> None:
        save_file(_pack(student, optimizers), path / _name_tensors(progress.step))
        (path / PROGRESS).write_text(json.dumps(asdict(progress)) + "\n")

    save_step(run_dir / FOLDER, progress.step, write, keep=KEPT)


def _name_tensors(step: int) -> str:
    return f"step_{step}.safetensors"


def _pack(
    student: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> dict[str, Tensor]:
    names: dict[Tensor, str] = {p: n for n, p in student.named_parameters()}
    tensors: dict[str, Tensor] = dict(student.state_dict())
    for optimizer in optimizers:
        for parameter, moments in optimizer.state.items():
            for key, value in moments.items():
                tensors[f"{key}@{names[parameter]}"] = torch.as_tensor(value)
    return {k: v.detach().clone().contiguous() for k, v in tensors.items()}


def _read_state(folder: Path) -> tuple[Progress, dict[str, Tensor]]:
    file = folder / PROGRESS
    try:
        progress = Progress(**json.loads(file.read_text()))
        file = folder / _name_tensors(progress.step)
        return progress, load_file(file)
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise ValueError(f"{file} is damaged: {error}; start anew") from error


def load_state(
    folder: Path, student: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> Progress:
    """Reads a state into a student and its optimizers.

    Args:
        folder: That of `find_state`.
        student: Gets the weights.
        optimizers: Get the moments.

    Raises:
        ValueError: It is damaged; names the file.
    """
    progress, tensors = _read_state(folder)
    moments: dict[str, dict[str, Tensor]] = {}
    for key in [key for key in tensors if "@" in key]:
        kind, name = key.split("@", 1)
        moments.setdefault(name, {})[kind] = tensors.pop(key)
    student.load_state_dict(tensors)
    names = {parameter: name for name, parameter in student.named_parameters()}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                optimizer.state[parameter] = {
                    # AdamW counts its steps on the CPU.
                    kind: value if kind == "step" else value.to(parameter.device)
                    for kind, value in moments.get(names[parameter], {}).items()
                }
    return progress
