"""A vision-language model as a policy: sample answers, score them, save.

    vlm = policy.load("tiny")
    groups = vlm.sample(prompts, 8, temperature=0.7, max_new_tokens=64, seeds=seeds)
    logprobs = vlm.score(prompts, groups, temperature=0.7)  # [P, G, T], differentiable

Dropout is always off, so sampling and scoring see the same policy. Shapes: P prompts, G
completions a prompt, L tokens of prompt, T of answer, V of vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from envs.answer import Codec
from policy.model.adapters import add_adapters, copy_to_cpu, merged
from policy.model.processing import Processor
from policy.model.recompute import recompute_layers
from policy.model.sampling import Sampled
from policy.model.scoring import gather_logprobs, pad_completions, run_plain, run_shared
from policy.model.share import Drawing, Share, draw_share
from policy.model.sharing.attention import can_share, enable_sharing
from policy.model.sharing.carry import fit_inputs
from policy.model.sharing.patches import multiply_patches
from policy.model.sharing.sight import Sight
from policy.model.trainable import PARTS, count_parameters, set_trainable
from policy.model.vocabulary import read_vocabulary
from policy.records import Completion, GroupCount, LoraSpec, Prompt
from policy.runtime.lanes import count_lanes, run_side_by_side


class VLM:
    """A policy.

    Attributes:
        model: The stock model, adapters inside where there are any.
        processor: Its text and image side.
        vocabulary: What it may say and what ends an answer.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        processor: Processor,
        *,
        lora: LoraSpec | None = None,
        trainable: Sequence[str] = PARTS,
        keep_reference: bool = False,
        gradient_checkpointing: bool = False,
    ) -> None:
        """Wraps a loaded model; see `policy.load` for the arguments."""
        self.model = model.eval()
        multiply_patches(model)
        if can_share(model):
            enable_sharing(model)
        if gradient_checkpointing:
            recompute_layers(model)
        self.processor = processor
        self._reference = None
        self._adapted = None
        if lora is not None:
            self._adapted = add_adapters(model, lora)
        else:
            set_trainable(model, trainable)
            if keep_reference:
                self._reference = copy.deepcopy(model).requires_grad_(False)
        self.vocabulary = read_vocabulary(self.model, processor)
        self._sight = Sight(self.model)

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The model's tokenizer."""
        return self.processor.tokenizer

    def codec(self, prompt: Prompt) -> Codec:
        """Returns the coordinates in which a prompt is answered."""
        return self.processor.codec(prompt)

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        temperature: float,
        max_new_tokens: int,
        seeds: Sequence[int] | None = None,
    ) -> list[list[Completion]]:
        """Samples n answers to each prompt; P lists of n, see `stream`."""
        ended = self.stream(
            prompts,
            n,
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            seeds=seeds,
        )
        return [answers for _, answers in sorted(ended, key=lambda found: found[0])]

    def stream(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        temperature: float,
        max_new_tokens: int,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Samples n answers to each prompt, and gives each group as soon as it ends.

        Args:
            prompts: P prompts.
            n: Answers a prompt.
            temperature: 0 takes the likeliest token each time; the log-probabilities
                are then those at temperature 1.
            max_new_tokens: Longest answer; it also ends at `</answer>`.
            seeds: One for each prompt, whose answers follow from it whatever the other
                prompts are; None draws them.

        Yields:
            The number of a prompt and its n answers, while others still go on.

        Raises:
            ValueError: If prompt and answer may exceed the model's context.
            FloatingPointError: If the model's output is not finite.
        """
        if not prompts:
            return
        if seeds is None:
            seeds = torch.randint(2**31, (len(prompts),)).tolist()
        lanes = min(count_lanes(self.model), len(prompts))
        shares = [
            self._share(
                prompts, seeds, range(lane, len(prompts), lanes), max_new_tokens
            )
            for lane in range(lanes)
        ]
        how = Drawing(n=n, temperature=temperature, max_new_tokens=max_new_tokens)
        draw = partial(draw_share, self.model, self._sight, self.vocabulary, how)
        with merged(self.model) if self._adapted else nullcontext():
            for place, answers in run_side_by_side(draw, shares):
                yield place, self._read_completions(answers)

    def _share(
        self,
        prompts: Sequence[Prompt],
        seeds: Sequence[int],
        places: range,
        max_new_tokens: int,
    ) -> Share:
        """Some of the prompts, encoded: a tokenizer does not serve several threads."""
        own = [prompts[place] for place in places]
        return Share(
            places=places,
            prompts=own,
            seeds=[seeds[place] for place in places],
            inputs=self._encode(own, max_new_tokens),
        )

    def score(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[Sequence[Completion]],
        *,
        temperature: float,
    ) -> Tensor:
        """Returns log-probabilities of answers, with gradient.

        The prompt is run once and shared by its answers; of an image that was sampled
        for, an encoder that does not train is not run at all.

        Args:
            prompts: P prompts.
            completions: P groups of G completions.
            temperature: That of sampling, above 0.

        Returns:
            [P, G, T] float32, padded on the right with 0; T is the longest answer.
        """
        if not (prompts or completions):
            return torch.zeros(0, 0, 0, device=self.model.device)
        token_ids, inside = pad_completions(completions, self.model.device)
        inputs = self._encode(prompts, token_ids.shape[1])
        inputs = self._sight.encode(prompts, inputs)
        pieces = run_shared(self.model, inputs, token_ids)
        logprobs = self._gather(pieces, token_ids, temperature)
        return _group(logprobs, inside, len(prompts))

    def score_plain(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[Sequence[Completion]],
        *,
        temperature: float,
    ) -> Tensor:
        """Returns `score` the plain way: prompt and image again for every answer.

        The yardstick of the shared path, in tests and benchmarks.
        """
        repeated = [
            p for p, group in zip(prompts, completions, strict=True) for _ in group
        ]
        token_ids, inside = pad_completions(completions, self.model.device)
        inputs = self._encode(repeated, token_ids.shape[1])
        pieces = run_plain(self.model, inputs, token_ids)
        logprobs = self._gather(pieces, token_ids, temperature)
        return _group(logprobs, inside, len(prompts))

    def spell(self, text: str) -> Completion:
        """Returns a text as a completion that was not sampled: log-probabilities 0."""
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert isinstance(ids, list)
        return Completion(
            text=text,
            token_ids=tuple(ids),
            logprobs=np.zeros(len(ids), np.float32),
            finished=True,
        )

    def count_tokens(self, prompt: Prompt) -> int:
        """Returns how many tokens a prompt has, those of its image included."""
        return self.processor.count_tokens(prompt)

    def token_spans(self, token_ids: Sequence[int]) -> list[tuple[int, int]]:
        """Returns where each token's characters start and end in the decoded text."""
        return self.processor.token_spans(token_ids)

    @contextmanager
    def reference(self) -> Iterator[None]:
        """Makes `score` use the weights from before training.

        Raises:
            RuntimeError: If no reference was kept.
        """
        if self._adapted is not None:
            with self._adapted.disable_adapter():
                yield
            return
        if self._reference is None:
            raise RuntimeError(
                "no reference weights: load the policy with keep_reference=True or lora"
            )
        current, self.model = self.model, self._reference
        try:
            yield
        finally:
            self.model = current

    def count_parameters(self) -> list[GroupCount]:
        """Returns how many parameters each group has and trains."""
        return count_parameters(self.model)

    def save(self, path: str | Path) -> None:
        """Writes a plain Hugging Face directory, adapters merged into the weights."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        model = self.model
        if self._adapted is not None:
            model = copy_to_cpu(self._adapted).merge_and_unload()
        model.save_pretrained(path)
        self.processor.save(path)

    def _encode(self, prompts: Sequence[Prompt], answer: int) -> dict[str, Tensor]:
        """Returns the inputs of prompts, whose answers take up to `answer` tokens."""
        inputs = self.processor.encode(prompts)
        length = inputs["input_ids"].shape[1]
        text = self.model.config.get_text_config()
        limit = getattr(text, "max_position_embeddings", None)
        if limit and length + answer > limit:
            raise ValueError(
                f"a prompt of {length} tokens and an answer of {answer} exceed the "
                f"model's context of {limit}, and none is cut: lower "
                "rollout.max_new_tokens, or let its image processor make fewer tokens"
            )
        return fit_inputs(self.model, inputs)

    def _gather(
        self, pieces: Sequence[Tensor], token_ids: Tensor, temperature: float
    ) -> Tensor:
        return gather_logprobs(pieces, token_ids, self.vocabulary.bias, temperature)

    def _read_completions(self, sampled: Sampled) -> list[Completion]:
        ids = sampled.token_ids.tolist()
        logprobs = sampled.logprobs.cpu().numpy()
        lengths, finished = sampled.lengths.tolist(), sampled.finished.tolist()
        return [
            Completion(
                text=self.processor.decode(row[:length]),
                token_ids=tuple(row[:length]),
                logprobs=values[:length].copy(),
                finished=done,
            )
            for row, values, length, done in zip(
                ids, logprobs, lengths, finished, strict=True
            )
        ]


def _group(values: Tensor, inside: Tensor, prompts: int) -> Tensor:
    """Returns [P, G, T] of [B, T] values, 0 outside the answers."""
    return torch.where(inside, values, 0.0).unflatten(0, (prompts, -1))
