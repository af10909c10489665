"""The model card of a shipped policy: data, seeds, time, measured figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from policy.evaluate import Evaluation

_CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
tags: [robotics, grounding, mujoco]
---
# Graspo: the default policy

A Qwen3-VL of {parameters:.1f} million parameters, trained from random weights to answer
an image of a MuJoCo scene and an instruction with an affordance box and a path, as text
that Graspo executes. It knows these scenes and nothing else.

    import policy
    vlm = policy.load("{name}")

## Training

Supervised, on the answers of a scripted expert:
`python scripts/warmstart.py env={env} seed={seed} minutes={minutes:g}`. No human
annotation, no pretrained weights.

| | |
|---|---|
| data | {examples:,} images of `{env}`, split `train`, made on the fly, half mirrored |
| seed | {seed} (weights, scenes, order) |
| steps | {steps:,} of {batch} examples |
| time | {minutes_used:.0f} minutes on {device} |
| software | torch {torch}, transformers {transformers} |
| weights | bfloat16 safetensors; train them in float32 |

The loss of the answers (coordinates against Gaussians over neighbouring integers, that
narrow to the true one) plus two dense ones whose heads were dropped afterwards: parts
on the tower's image tokens, the target on those of the language model.

## Figures

Greedy answers on {n} held-out scenes of `{env}` (split `test`), each executed in
simulation. An answer that does not parse counts as a failure, as IoU 0 and as the
image's diagonal in every distance.

| figure | mean | 95 % interval |
|---|---|---|
{figures}

Why answers failed: {failures}.

## Interface

Asked with the instruction alone, before the image; coordinates 0..1000 over width and
height (`graspo.json`). The image is brought to {image} x {image} pixels. Each integer
from 0 to 1000 is one token.
"""

_UNITS = {
    "success": ("success", ".3f"),
    "parse_rate": ("parse rate", ".3f"),
    "iou": ("IoU of the box [%]", ".1f"),
    "dfd": ("discrete Frechet distance of the path [1/1000]", ".1f"),
    "hd": ("Hausdorff distance [1/1000]", ".1f"),
    "rmse": ("RMSE [1/1000]", ".1f"),
    "average": ("average of the three", ".1f"),
    "endpoint": ("distance of the end points [1/1000]", ".1f"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a policy comes from.

    Attributes:
        name: The name or path it is loaded by.
        env: The scene it was trained on.
        seed: Of the training.
        steps: Steps taken.
        batch: Examples a step.
        minutes: Budget of the schedule.
        minutes_used: Time the training took.
        device: What it ran on, in words.
        parameters: Millions of parameters.
        image: Side of the input image in pixels.
    """

    name: str
    env: str
    seed: int
    steps: int
    batch: int
    minutes: float
    minutes_used: float
    device: str
    parameters: float
    image: int


def write_card(directory: Path, origin: Provenance, measured: Evaluation) -> None:
    """Writes the model card as the README.md of a policy directory."""
    failures = [f"{count} {reason}" for reason, count in measured.failures.items()]
    text = _CARD.format(
        **asdict(origin),
        n=measured.n,
        examples=origin.steps * origin.batch,
        torch=version("torch").split("+")[0],
        transformers=version("transformers"),
        figures="\n".join(_list_rows(measured)),
        failures=", ".join(failures) or "none did",
    )
    (directory / "README.md").write_text(text)


def _list_rows(measured: Evaluation) -> list[str]:
    return [
        f"| {words} | {format(e.mean, unit)} "
        f"| {format(e.low, unit)} to {format(e.high, unit)} |"
        for name, (words, unit) in _UNITS.items()
        if (e := measured.figures.get(name)) is not None
    ]
