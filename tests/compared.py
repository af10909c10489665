"""Policies and judged answers for comparing one way to compute an update with another.

Miniatures of models with and without M-RoPE and images; answers are random tokens, of
unequal lengths, so that nothing depends on what a policy happens to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from miniatures import BUILDERS
from transformers import AutoModelForCausalLM, Qwen3Config, Qwen3ForCausalLM

import policy
from envs.records import ParseFailure, Reward
from policy.grpo.batch import Batch, Policy, Sampling, UpdateMetrics
from policy.grpo.config import GRPOConfig
from policy.grpo.grpo import update
from policy.model.processing import Processor
from policy.model.random_weights import draw_weights
from policy.model.settings import Settings, save_settings
from policy.model.tiny.tokenizer import build_tokenizer
from policy.model.vlm import VLM
from policy.records import Completion, Group, Prompt, Rollout

SHORT = Settings(prompt_style="short")
TEMPERATURE = 0.7
MAX_NEW_TOKENS = 16  # longer than any, or a constant could be the longest
SAMPLING = Sampling(temperature=TEMPERATURE, max_new_tokens=MAX_NEW_TOKENS)
WORDS = ("Lift the red mug", "Open the drawer on the left", "Push it")
LENGTHS = [[1, 7, 4], [12, 2, 9], [3, 3, 8]]  # tokens of each completion
REWARDS = [[0.1, 0.9, 0.3], [0.0, 1.0, 0.7], [0.6, 0.6, 0.6]]  # the last: no signal
SCENE: Any = SimpleNamespace(reference=None)


class TextProcessor(Processor):
    """Asks a language model with the instruction alone."""

    def __init__(self) -> None:
        self.tokenizer = self.stock = build_tokenizer()
        self.settings = SHORT
        self._pieces, self._image_tokens = {}, {}

    def render(self, prompt):
        return prompt.instruction

    def encode(self, prompts):
        words = [prompt.instruction for prompt in prompts]
        return dict(
            self.tokenizer(
                words, padding=True, padding_side="left", return_tensors="pt"
            )
        )


class Recorder(torch.optim.Optimizer):
    """Sums up the gradients it is given and leaves the weights alone."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.named = dict(model.named_parameters())
        self.gradients = {n: torch.zeros_like(p) for n, p in self.named.items()}
        super().__init__(self.named.values(), {})

    def step(self, closure=None):
        for name, parameter in self.named.items():
            if parameter.grad is not None:
                self.gradients[name] += parameter.grad


def build_text(path: Path) -> None:
    """A language model: no images, no M-RoPE, grouped queries."""
    tokenizer = build_tokenizer()
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=12,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    draw_weights(Qwen3ForCausalLM, config).save_pretrained(path)


def build_home(root: Path, family: str) -> Path:
    """Writes the miniature of a family of `BUILDERS`, or `text`."""
    {**BUILDERS, "text": build_text}[family](root / family)
    save_settings(root / family, SHORT)
    return root / family


def load_free(home: Path) -> VLM:
    """A policy that may say any token, away from the reference it keeps."""
    if home.name == "text":
        model = AutoModelForCausalLM.from_pretrained(home, dtype=torch.float32)
        vlm = VLM(model, TextProcessor(), keep_reference=True)
    else:
        vlm = policy.load(home, device="cpu", keep_reference=True)
    free = torch.zeros_like(vlm.vocabulary.bias)
    vlm.vocabulary = replace(vlm.vocabulary, bias=free)
    _shift(vlm.model)
    return vlm


def draw_prompts(rng: np.random.Generator) -> list[Prompt]:
    """Three prompts of unequal lengths, their images noise."""
    return [
        Prompt(image=rng.integers(0, 256, (84, 84, 3), np.uint8), instruction=words)
        for words in WORDS
    ]


def answer_randomly(vlm: VLM) -> list[Group]:
    """Groups of random answers, with their log-probabilities and rewards."""
    rng = np.random.default_rng(0)
    prompts = draw_prompts(rng)
    usable = sorted(set(range(len(vlm.tokenizer))) - vlm.processor.list_control_ids())
    drawn = [[_complete(rng.choice(usable, n)) for n in row] for row in LENGTHS]
    logprobs = vlm.score(prompts, drawn, temperature=TEMPERATURE).detach().numpy()
    return [
        Group(
            prompt=prompt,
            rollouts=tuple(
                _judge(replace(c, logprobs=values[: len(c.token_ids)]), reward)
                for c, values, reward in zip(*rows, strict=True)
            ),
        )
        for prompt, *rows in zip(prompts, drawn, logprobs, REWARDS, strict=True)
    ]


def learn(
    learner: Policy,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    config: GRPOConfig,
    lanes: int = 1,
) -> UpdateMetrics:
    """Updates a policy, the same way each time."""
    generator = torch.Generator().manual_seed(0)
    return update(learner, optimizer, batch, config, generator, lanes=lanes)


def find_worst(
    found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]
) -> float:
    """The largest relative difference of a tensor; one below 0.001 of the
    largest tensor counts as that large: some, as key biases, have no gradient but
    rounding.
    """
    assert found.keys() == expected.keys()
    norms = {name: tensor.detach().norm() for name, tensor in expected.items()}
    floor = 1e-3 * max(norms.values())
    return max(
        float((found[name] - tensor).detach().norm() / torch.max(norms[name], floor))
        for name, tensor in expected.items()
    )


def _shift(model: torch.nn.Module) -> None:
    """Adds noise to the matrices, so that there is a divergence to measure."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter += 0.05 * parameter.std() * noise


def _complete(token_ids: np.ndarray) -> Completion:
    return Completion(text="", token_ids=tuple(token_ids.tolist()))


def _judge(completion: Completion, reward: float) -> Rollout:
    return Rollout(
        scene=SCENE,
        completion=completion,
        answer=ParseFailure(reason="random"),
        reward=Reward(terms={}, total=reward),
    )
