"""The model card of a shipped policy: data, seeds, time, measured figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from policy.evaluation.figures import Evaluation

_CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
tags: [robotics, grounding, mujoco]
---
# Graspo: the default policy

A Qwen3-VL of {parameters:.1f} million parameters, trained from {start} to answer an
image of a MuJoCo scene and an instruction with an affordance box and a path, as text
that Graspo executes. It knows these scenes and nothing else.

    import policy
    vlm = policy.load("{name}")

## Training

Supervised, on the answers of a scripted expert: `{command}`. No human annotation.

| | |
|---|---|
| scenes | {scenes} |
| data | {examples:,} images of split `train`, made on the fly |
| varied | {looks} |
| seed | {seed} (weights, scenes, order) |
| steps | {steps:,} of {batch} examples |
| time | {minutes:.0f} minutes on {device} |
| software | torch {torch}, transformers {transformers} |
| weights | bfloat16 safetensors; train them in float32 |

The loss of the answers (coordinates against Gaussians over neighbouring integers, that
narrow to the true one) plus two dense ones whose heads were dropped afterwards: parts
on the tower's image tokens, the target on those of the language model.

## Figures

Greedy answers on {n} held-out scenes of each kind (split `test`), each executed in
simulation, with 95 % intervals of success. An answer that does not parse counts as a
failure, as IoU 0 and as the image's diagonal in every distance. IoU of the box in %;
average of discrete Frechet, Hausdorff and root mean square distance of the path, and
distance of the end points, in 1/1000 of the image.

| scene | success | parsed | IoU | average | end | most frequent failures |
|---|---|---|---|---|---|---|
{figures}

## Interface

Asked with the instruction alone, before the image; coordinates 0..1000 over width and
height (`graspo.json`). The image is brought to {image} x {image} pixels. Each integer
from 0 to 1000 is one token.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a policy comes from.

    Attributes:
        name: The name or path it is loaded by.
        command: What to type for the same training.
        start: The weights it began with.
        varied: Whether examples got other looks, words and frames.
        blind: Whether it was shown grey instead of images.
        seed: The training's seed.
        steps: Steps taken.
        batch: Examples a step.
        minutes: Time the training took.
        device: What it ran on, in words.
        parameters: Millions of parameters.
        image: Side of the input image in pixels.
    """

    name: str
    command: str
    start: str
    varied: bool
    blind: bool
    seed: int
    steps: int
    batch: int
    minutes: float
    device: str
    parameters: float
    image: int


def write_card(
    directory: Path, origin: Provenance, measured: Mapping[str, Evaluation]
) -> None:
    """Writes the model card as the README.md of a policy directory.

    Args:
        directory: The policy's.
        origin: How it was trained.
        measured: Its figures for each scene; at least one.
    """
    text = _CARD.format(
        **asdict(origin),
        looks=describe_looks(origin),
        n=next(iter(measured.values())).n,
        scenes=", ".join(f"`{env}`" for env in measured),
        examples=origin.steps * origin.batch,
        torch=version("torch").split("+")[0],
        transformers=version("transformers"),
        figures="\n".join(_format_row(env, m) for env, m in measured.items()),
    )
    (directory / "README.md").write_text(text)


def describe_looks(origin: Provenance) -> str:
    """Returns how examples looked, in words."""
    varied = "mirrored, bent; other colours, grounds and words (`policy/variety/`)"
    looks = varied if origin.varied else "mirrored"
    return "grey instead of images" if origin.blind else looks


def _format_row(env: str, measured: Evaluation) -> str:
    success, means = measured.figures["success"], measured.figures
    failures = [f"{n} {reason}" for reason, n in list(measured.failures.items())[:3]]
    cells = (
        f"`{env}`",
        f"{success.mean:.3f} ({success.low:.3f} to {success.high:.3f})",
        f"{means['parse_rate'].mean:.3f}",
        f"{means['iou'].mean:.1f}",
        f"{means['average'].mean:.1f}",
        f"{means['endpoint'].mean:.1f}",
        ", ".join(failures) or "none",
    )
    return f"| {' | '.join(cells)} |"
