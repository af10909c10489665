"""The state of a supervised training on disk: weights, moments, place in the stream.

Two files in `state/`: tensors as safetensors and the progress as JSON, which is written
last and names the tensors, so that a kill at any moment leaves a state to go on from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where a training stands.

    Attributes:
        step: Steps done.
        seconds: Seconds of training, checks and saves included.
    """

    step: int = 0
    seconds: float = 0.0


def has_state(run_dir: Path) -> bool:
    """Whether a run directory holds a state to go on from."""
    return (run_dir / "state" / "progress.json").is_file()


def trim_log(path: Path, step: int) -> None:
    """Drops the lines of steps after `step`, which a resumed run will write again."""
    if path.is_file():
        lines = path.read_text().splitlines(keepends=True)
        kept = [x for x in lines if x.endswith("\n") and json.loads(x)["step"] <= step]
        path.write_text("".join(kept))


def save_state(
    run_dir: Path,
    student: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    progress: Progress,
) -> None:
    """Writes the state in place of the one before."""
    folder = run_dir / "state"
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[Tensor, str] = {p: n for n, p in student.named_parameters()}
    tensors: dict[str, Tensor] = dict(student.state_dict())
    for optimizer in optimizers:
        for parameter, moments in optimizer.state.items():
            for key, value in moments.items():
                tensors[f"{key}@{names[parameter]}"] = torch.as_tensor(value)
    tensors = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
    kept = folder / f"step_{progress.step}.safetensors"
    save_file(tensors, folder / "new.safetensors")
    (folder / "new.safetensors").replace(kept)
    (folder / "new.json").write_text(json.dumps(asdict(progress)) + "\n")
    (folder / "new.json").replace(folder / "progress.json")
    for old in set(folder.glob("step_*.safetensors")) - {kept}:
        old.unlink()


def _read_state(folder: Path) -> tuple[Progress, dict[str, Tensor]]:
    file = folder / "progress.json"
    try:
        progress = Progress(**json.loads(file.read_text()))
        file = folder / f"step_{progress.step}.safetensors"
        return progress, load_file(file)
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise ValueError(f"{file} is damaged: {error}; start anew") from error


def load_state(
    run_dir: Path, student: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> Progress:
    """Reads a state into a student and its optimizers.

    Raises:
        ValueError: It is damaged; names the file.
    """
    progress, tensors = _read_state(run_dir / "state")
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
