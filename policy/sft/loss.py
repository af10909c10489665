"""Supervised training of the default policy, from random weights.

A small tower that learns from next-token loss alone stays on the unconditional plateau
(the box loss equals the entropy of the box distribution) for tens of thousands of
images. Two dense heads bring it off: one marks the parts on the tower's image tokens,
one marks the part the instruction asks for on the language model's image tokens, both
finer than a token. The heads are dropped at the end. Coordinates are learned against
Gaussians over neighbouring integers, whose width goes to zero, so that the policy ends
sharp. Rates fall to zero within the budget.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from policy.model.tiny.size import TinySize
from policy.model.tiny.tokenizer import MAX_INTEGER, list_integer_ids
from policy.sft.data import IGNORED, Batch


class Student(nn.Module):
    """The policy and the two heads that only training needs.

    Args:
        model: The policy.
        size: Its sizes.
        classes: Number of part classes, 0 included.
        points: Dense targets in one image token's cell.
        tied: Groups of token ids whose rows of both embeddings move as one, so that
            their differences stay.
        seed: Seeds the heads' first weights.
    """

    def __init__(
        self,
        model: Qwen3VLForConditionalGeneration,
        size: TinySize,
        *,
        classes: int,
        points: int,
        tied: Iterable[Iterable[int]] = (),
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.size = size
        self.classes = classes
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.tower_head = nn.Linear(size.width, points * classes)
            self.cue_head = nn.Linear(size.width, points)
        self._tie([list(rows) for rows in tied])
        # Half way up, so that the answer's tokens can still read what was marked.
        layers = model.model.language_model.layers
        self._marked: Tensor | None = None
        layers[len(layers) // 2 - 1].register_forward_hook(self._keep)

    def _tie(self, groups: list[list[int]]) -> None:
        def average(gradient: Tensor) -> Tensor:
            tied = gradient.clone()
            for rows in groups:
                tied[rows] = gradient[rows].mean(0)
            return tied

        body: Any = self.model.model
        for layer in (body.language_model.embed_tokens, self.model.lm_head):
            layer.weight.register_hook(average)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Returns logits of the answer's tokens and of both heads.

        Returns:
            [N, V] logits where `batch.labels` is set, [B, tokens, S * S, classes] part
            logits, [B, tokens, S * S] target logits.
        """
        body: Any = self.model.model
        pixels, grid = patchify(batch.images, self.size)
        seen = body.get_image_features(pixels, grid)
        tokens = torch.stack(list(seen.pooler_output))
        hidden = body(
            input_ids=batch.input_ids,
            image_grid_thw=grid,
            mm_token_type_ids=batch.token_types,
            mm_encoder_outputs={"image": seen},
            use_cache=False,
        ).last_hidden_state
        logits = self.model.lm_head(hidden[batch.labels != IGNORED])
        parts = self.tower_head(tokens).unflatten(-1, (-1, self.classes))
        assert self._marked is not None
        marked = self._marked[batch.token_types == 1]
        cues = self.cue_head(marked).view(*tokens.shape[:2], -1)
        self._marked = None
        return logits, parts, cues

    def _keep(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._marked = output


def patchify(images: Tensor, size: TinySize) -> tuple[Tensor, Tensor]:
    """Cuts images as the stock processor does.

    Args:
        images: [B, H, W, 3] uint8.
        size: The policy's sizes.

    Returns:
        [B * grid * grid, 3 * patch * patch] float32 patches in -1..1, ordered by merged
        token, and the [B, 3] grids.
    """
    side, merge, patch = size.grid // size.merge, size.merge, size.patch
    pixels = images.float() / 127.5 - 1
    cut = pixels.view(len(images), side, merge, patch, side, merge, patch, 3)
    patches = cut.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(-1, 3 * patch * patch)
    grid = torch.tensor([[1, size.grid, size.grid]], device=images.device)
    return patches, grid.expand(len(images), 3)


def blur_targets(values: Tensor, blur: float) -> Tensor:
    """Returns [N, 1001] target distributions around [N] integers; one-hot for 0."""
    places = torch.arange(MAX_INTEGER + 1, device=values.device)
    if blur < 0.3:  # narrower than an integer
        return F.one_hot(values, MAX_INTEGER + 1).float()
    distance = (places - values[:, None]).float() / blur
    return (-0.5 * distance.square()).softmax(-1)


class AnswerLoss(nn.Module):
    """Cross-entropy of answers, blurred on coordinates.

    Args:
        tokenizer: Gives the ids of the integers.
    """

    integers: Tensor
    value_of: Tensor

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        super().__init__()
        integers = torch.tensor(list_integer_ids(tokenizer))
        value_of = torch.full((len(tokenizer),), -1)
        value_of[integers] = torch.arange(MAX_INTEGER + 1)
        self.register_buffer("integers", integers)
        self.register_buffer("value_of", value_of)

    def forward(
        self, logits: Tensor, labels: Tensor, blur: float
    ) -> tuple[Tensor, Tensor]:
        """Returns the mean loss of [N, V] coordinates and that of all other tokens."""
        logp = logits.float().log_softmax(-1)
        values = self.value_of[labels]
        is_coordinate = values >= 0
        near = logp[is_coordinate][:, self.integers]
        target = blur_targets(values[is_coordinate], blur)
        other = F.nll_loss(logp[~is_coordinate], labels[~is_coordinate])
        return -(target * near).sum(-1).mean(), other


def compute_part_loss(logits: Tensor, cells: Tensor) -> Tensor:
    """Returns the loss of [..., C] part logits; rare classes count more.

    A class weighs the inverse root of its share, or background would be all there is.
    """
    share = torch.bincount(cells.flatten(), minlength=logits.shape[-1]).float()
    weight = (share.sum() / (share + 1)).sqrt().clamp(max=30)
    return F.cross_entropy(logits.float().flatten(0, -2), cells.flatten(), weight)


def compute_cue_loss(logits: Tensor, cues: Tensor) -> Tensor:
    """Returns the loss of target logits; marked points weigh ten times the others."""
    weight = 1 + 9 * cues
    loss = F.binary_cross_entropy_with_logits(logits.float(), cues, reduction="none")
    return (weight * loss).sum() / weight.sum()
