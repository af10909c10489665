"""The figures that tell whether a supervised training learns, and their curve."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import matplotlib.figure
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from policy.sft.data import IGNORED, Batch, Example
from policy.sft.loss import AnswerLoss

KERNEL = 15.0  # 0..1000 units, about the spread of 256 examples' nearest neighbours


def measure_corner_entropy(source: Callable[[int], Example], count: int = 256) -> float:
    """Returns the entropy in nats of a box's first corner, the mean of its x and y.

    It is the loss of a policy that sees nothing; a corner loss that stays there is a
    plateau. Estimated with a kernel, each example judged by all others.
    """
    corners = np.array([source(seed).plan.box[:2] for seed in range(count)]) * 1000
    distance = (corners[:, None] - corners[None]) / KERNEL
    density = np.exp(-0.5 * distance**2) / (KERNEL * np.sqrt(2 * np.pi))
    density[np.arange(count), np.arange(count)] = 0
    return float(-np.log(density.sum(1) / (count - 1) + 1e-6).mean())


@torch.no_grad()
def measure_forced(
    logits: Tensor, parts: Tensor, batch: Batch, loss: AnswerLoss, image: int
) -> dict[str, float]:
    """Returns figures of held-out examples, each token given the true ones before it.

    Args:
        logits: [N, V] of the answers' tokens.
        parts: [B, tokens, S * S, classes] of the tower's head.
        batch: The examples.
        loss: Knows which tokens are integers.
        image: Side of the image in pixels.
    """
    labels = batch.labels[batch.labels != IGNORED]
    is_integer = loss.value_of[labels] >= 0
    truth = loss.value_of[labels[is_integer]]
    scores = logits[is_integer][:, loss.integers].float()
    each = F.cross_entropy(scores, truth, reduction="none")
    corners = _find_corners(batch.labels, loss)
    in_box = torch.zeros_like(truth, dtype=torch.bool)
    in_box[corners] = True
    said = scores.argmax(-1)[corners].cpu().numpy()
    true = truth[corners].cpu().numpy()
    found = parts.argmax(-1)
    right = (found == batch.cells) & (found > 0)
    overlap = right.sum() / ((found > 0) | (batch.cells > 0)).sum().clamp(min=1)
    shift = (said[:, :2] + said[:, 2:] - true[:, :2] - true[:, 2:]) / 2
    return {
        "corner_loss": each[corners[:, :2]].mean().item(),
        "box_loss": each[in_box].mean().item(),
        "path_loss": each[~in_box].mean().item(),
        "center_px": float(np.median(np.hypot(*shift.T))) * image / 1000,
        "iou": float(np.mean([_compute_iou(a, b) for a, b in zip(said, true)])),
        "part_iou": overlap.item(),
    }


def _find_corners(labels: Tensor, loss: AnswerLoss) -> Tensor:
    """[B, 4] places of the boxes' numbers among all integers of [B, T] labels."""
    values = loss.value_of[labels.clamp(min=0)]
    counts = ((labels != IGNORED) & (values >= 0)).sum(dim=1)
    first = torch.cumsum(counts, 0) - counts
    return first[:, None] + torch.arange(4, device=labels.device)


def draw_curve(run_dir: Path) -> None:
    """Draws `curve.png` from `metrics.jsonl`: losses against the entropy, errors."""
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    steps = [row["step"] for row in rows]
    figure = matplotlib.figure.Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for name in ("corner_loss", "box_loss", "path_loss"):
        left.plot(steps, [row[name] for row in rows], label=name.replace("_", " "))
    left.axhline(rows[-1]["entropy"], color="black", ls=":", label="blind (corner)")
    left.set(title="held-out loss [nat]", xlabel="step")
    middle.semilogy(steps, [row["center_px"] for row in rows])
    middle.set(title="held-out centre error [pixel]", xlabel="step")
    for name in ("iou", "part_iou"):
        right.plot(steps, [row[name] for row in rows], label=name.replace("_", " "))
    right.set(title="held-out IoU", xlabel="step", ylim=(0, 1))
    for axes in (left, right):
        axes.legend()
    figure.savefig(run_dir / "curve.png", dpi=100)


def _compute_iou(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    areas = [np.prod(np.clip(box[2:] - box[:2], 0, None)) for box in (a, b)]
    inner = np.prod(size)
    return float(inner / max(sum(areas) - inner, 1))
