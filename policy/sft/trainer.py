"""Supervised training of the default policy, from random weights.

The schedule follows the clock (`minutes`) or the step count (`steps`). A run directory
holds `metrics.jsonl`, `curve.png` and `state/`, from which a stopped run goes on where
it was, exactly: examples are numbered, and nothing else in training is random.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from policy.sft.data import IGNORED, Batch, Collator, Example, ExampleStream
from policy.sft.figures import draw_curve, measure_corner_entropy, measure_forced
from policy.sft.loss import AnswerLoss, Student, compute_cue_loss, compute_part_loss
from policy.sft.optim import (
    build_optimizers,
    schedule_blur,
    schedule_dense,
    schedule_rate,
)
from policy.sft.settings import SFTConfig
from policy.sft.state import Progress, find_state, load_state, save_state, trim_log

Source = Callable[[int], Example]


class Trainer:
    """One supervised run; a state found in its directory is continued.

    Args:
        student: The policy with its heads.
        collate: Makes batches.
        config: How to train.
        run_dir: Where logs and state go.
        say: Gets a line of progress now and then.
    """

    def __init__(
        self,
        student: Student,
        collate: Collator,
        config: SFTConfig,
        run_dir: Path,
        say: Callable[[str], None] = print,
    ) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.student = student.to(self.device)
        self.collate = collate
        self.config = config
        self.run_dir = run_dir
        self.say = say
        self.loss = AnswerLoss(collate.tokenizer).to(self.device)
        self.optimizers = build_optimizers(student, config)
        self.progress = Progress()
        if state := find_state(run_dir, say):
            optimizers = [optimizer for optimizer, _ in self.optimizers]
            self.progress = load_state(state, student, optimizers)
        trim_log(run_dir / "metrics.jsonl", self.progress.step)

    @property
    def share(self) -> float:
        """The share of the budget used, 0..1."""
        if self.config.steps:
            return min(1.0, self.progress.step / self.config.steps)
        return min(1.0, self.progress.seconds / (60 * self.config.minutes))

    def run(
        self, source: Source, held_out: Source, *, seed: int, varied: bool = True
    ) -> None:
        """Trains until the budget is used up.

        Args:
            source: Makes the example of a scene seed.
            held_out: Makes held-out examples; the first `config.held_out` are used.
            seed: Seeds the order of examples and their variation.
            varied: Whether examples get other looks, words and frames.
        """
        if self.share >= 1:
            return
        check = self.collate([held_out(i) for i in range(self.config.held_out)])
        check = move_batch(check, self.device)
        entropy = measure_corner_entropy(source)
        batches = self._read(ExampleStream(source, seed=seed, varied=varied))
        start = time.monotonic() - self.progress.seconds
        saved = self.progress.seconds
        while self.share < 1:
            row = self._step(move_batch(next(batches), self.device))
            self.progress.step += 1
            if self.progress.step % self.config.every == 0:
                self._log(row | {"entropy": entropy} | self._check(check))
            self.progress.seconds = time.monotonic() - start
            if self.progress.seconds - saved > self.config.save_s:
                self._save()
                saved = self.progress.seconds
        if self.progress.seconds > saved:
            self._save()

    def _read(self, stream: ExampleStream) -> Iterator[Batch]:
        """Returns the batches from the present step on."""
        workers = self.config.workers
        loader = DataLoader(
            stream,
            batch_sampler=_Consecutive(self.progress.step, self.config.batch),
            collate_fn=self.collate,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            # A forked process would share the parent's GL context.
            multiprocessing_context="spawn" if workers else None,
        )
        return iter(loader)

    def _step(self, batch: Batch) -> dict[str, float]:
        """Updates once and returns what the log shows."""
        config, share = self.config, self.share
        logits, parts, cues = self._forward(batch)
        labels = batch.labels[batch.labels != IGNORED]
        blur = schedule_blur(share, config)
        coordinate, words = self.loss(logits, labels, blur)
        part = compute_part_loss(parts, batch.cells)
        cue = compute_cue_loss(cues, batch.cues)
        dense = config.tower_weight * part + config.cue_weight * cue
        norm = self._update(coordinate + words + schedule_dense(share) * dense)
        return {
            "step": self.progress.step + 1,
            "seconds": round(self.progress.seconds, 1),
            "share": share,
            "blur": blur,
            "loss_coordinate": coordinate.item(),
            "loss_words": words.item(),
            "loss_part": part.item(),
            "loss_cue": cue.item(),
            "gradient": norm,
        }

    def _update(self, loss: Tensor) -> float:
        """Takes one step down and returns the gradient's norm before clipping."""
        loss.backward()
        parameters = self.student.parameters()
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.config.clip).item()
        if not norm < float("inf"):
            raise FloatingPointError(f"gradient is {norm} at step {self.progress.step}")
        for optimizer, peak in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * schedule_rate(self.share, self.config)
            optimizer.step()
            optimizer.zero_grad()
        return norm

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.config.bf16):
            return self.student(batch)

    @torch.no_grad()
    def _check(self, batch: Batch) -> dict[str, float]:
        logits, parts, _ = self._forward(batch)
        image = self.student.size.image
        return measure_forced(logits, parts, batch, self.loss, image)

    def _log(self, row: dict[str, float]) -> None:
        with open(self.run_dir / "metrics.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())  # a state must not be ahead of it
        seconds, share = max(self.progress.seconds, 1e-3), self.share
        left = seconds * (1 / share - 1) / 60 if share else float("inf")
        self.say(
            f"{share:4.0%} step {row['step']}, {row['step'] / seconds:.2f}/s, "
            f"{left:.0f} min left: corner loss {row['corner_loss']:.2f} "
            f"(blind {row['entropy']:.2f}), centre error {row['center_px']:.1f} px, "
            f"IoU {row['iou']:.2f}"
        )

    def _save(self) -> None:
        optimizers = [optimizer for optimizer, _ in self.optimizers]
        save_state(self.run_dir, self.student, optimizers, self.progress)
        if (self.run_dir / "metrics.jsonl").is_file():
            draw_curve(self.run_dir)


def move_batch(batch: Batch, device: str) -> Batch:
    """Returns the batch on a device."""
    return Batch(**{f.name: getattr(batch, f.name).to(device) for f in fields(batch)})


class _Consecutive:
    """Example numbers, `size` at a time, from batch `first` on for ever."""

    def __init__(self, first: int, size: int) -> None:
        self.first = first
        self.size = size

    def __iter__(self) -> Iterator[list[int]]:
        batch = self.first
        while True:
            yield list(range(batch * self.size, (batch + 1) * self.size))
            batch += 1
