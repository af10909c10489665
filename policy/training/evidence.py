"""A batch on disk, so that an update that went wrong can be looked at and repeated.

`rollouts.jsonl` has a line for each answer: the number and words of its prompt, its
text. `batch.safetensors` has images, tokens, advantages and log-probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from policy.grpo.batch import Batch, Sampling
from policy.records import Completion, Prompt

_LINES, _TENSORS = "rollouts.jsonl", "batch.safetensors"


def save_batch(batch: Batch, path: Path) -> None:
    """Writes a batch into a directory that exists."""
    lines = "".join(json.dumps(row) + "\n" for row in _describe(batch))
    (path / _LINES).write_text(lines)
    ids = [torch.tensor(c.token_ids) for row in batch.completions for c in row]
    sampling = [batch.sampling.temperature, batch.sampling.max_new_tokens]
    tensors = {
        "sampling": torch.tensor(sampling, dtype=torch.float64),
        "token_ids": pad_sequence(ids, batch_first=True),
        "advantages": batch.advantages,
        "mask": batch.mask,
        "old_logprobs": batch.old_logprobs,
    }
    for i, prompt in enumerate(batch.prompts):
        tensors[f"image.{i}"] = torch.tensor(prompt.image)
    save_file({k: v.contiguous() for k, v in tensors.items()}, path / _TENSORS)


def load_batch(path: Path) -> Batch:
    """Returns what `save_batch` wrote; answers have the log-probabilities of then."""
    tensors = load_file(path / _TENSORS)
    rows = [json.loads(line) for line in (path / _LINES).read_text().splitlines()]
    mask = tensors["mask"]
    count, group = mask.shape[:2]
    flat = (tensors[name].flatten(0, 1) for name in ("old_logprobs", "mask"))
    values = zip(rows, tensors["token_ids"], *flat, strict=True)
    answers = [_read_answer(*row) for row in values]
    temperature, longest = tensors["sampling"].tolist()
    return Batch(
        sampling=Sampling(temperature=temperature, max_new_tokens=int(longest)),
        prompts=[
            Prompt(
                image=tensors[f"image.{i}"].numpy(),
                instruction=rows[i * group]["instruction"],
                waypoints=rows[i * group]["waypoints"],
                answer=rows[i * group]["answer"],
                knowledge=rows[i * group].get("knowledge", ""),
            )
            for i in range(count)
        ],
        completions=[answers[i * group : (i + 1) * group] for i in range(count)],
        advantages=tensors["advantages"],
        mask=mask,
        old_logprobs=tensors["old_logprobs"],
    )


def _describe(batch: Batch) -> Iterator[dict[str, Any]]:
    for i, (prompt, row) in enumerate(
        zip(batch.prompts, batch.completions, strict=True)
    ):
        for completion in row:
            yield {
                "prompt": i,
                "instruction": prompt.instruction,
                "waypoints": prompt.waypoints,
                "answer": prompt.answer,
                "knowledge": prompt.knowledge,
                "text": completion.text,
                "finished": completion.finished,
            }


def _read_answer(
    row: dict[str, Any], token_ids: Tensor, logprobs: Tensor, mask: Tensor
) -> Completion:
    length = int(mask.sum())
    return Completion(
        text=row["text"],
        token_ids=tuple(token_ids[:length].tolist()),
        logprobs=logprobs[:length].numpy(),
        finished=row["finished"],
    )
