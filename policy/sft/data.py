"""Supervised examples: scenes of the simulator turned into padded batches.

Example number i of a seed is always the same example, so a resumed training reads on
where it stopped and no data set is kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

import envs
from envs.answer import format_answer
from envs.records import UNTOLD
from envs.registry import get_task
from envs.scene import SceneConfig
from policy.knowledge import recall
from policy.model.processing import blank
from policy.model.prompt import build_messages
from policy.model.tiny.size import STRIDE, TinySize
from policy.model.tiny.tokenizer import END, IMAGE, PAD
from policy.records import Prompt
from policy.rollout.scene_source import SceneSource
from policy.sft.example import Example, mirror_example, vary_example
from policy.variety.words import list_names

IGNORED = -100
BLOCK = 2048  # scenes; 400 MB of examples a worker
TOLD = 0.5  # share of examples with what is known: it has to be needless, too


@dataclass(frozen=True, slots=True)
class ExampleSource:
    """Makes examples of scenes; unverified, which saves the simulation.

    Attributes:
        scenes: Where the scenes come from; each kind needs an expert.
    """

    scenes: SceneSource

    @property
    def part_classes(self) -> tuple[str, ...]:
        """Names of the part classes 1, 2, ... of all the scenes, without repetition."""
        names = self.scenes.names
        return tuple(dict.fromkeys(c for n in names for c in _get_classes(n)))

    def __call__(self, seed: int) -> Example:
        """Returns the example of a seed, as yet without another look and words."""
        config = replace(self.scenes.choose(seed), verify=False)
        scene = envs.sample_scene(config)
        reference = scene.reference
        if reference is None:
            raise ValueError(f"scene {scene.name!r} has no expert to learn from")
        return Example(
            image=scene.observation.image,
            parts=envs.label_parts(scene, self.part_classes),
            target=envs.mark_target(scene),
            instruction=scene.instruction,
            plan=reference.to_plan(),
            one_sided=_is_one_sided(config, scene.instruction),
            names=list_names([goal.instruction for goal in scene.goals]),
        )


def _is_one_sided(config: SceneConfig, instruction: str) -> bool:
    """Whether the mirror image is held out, a view not asked for, or turns wrongly."""
    aside = "azimuth" in (config.camera or {})
    return bool(config.stretched) or aside or "clockwise" in instruction.lower()


def _get_classes(scene: str) -> tuple[str, ...]:
    return get_task(scene).part_classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Examples as tensors, answers padded on the right.

    Attributes:
        input_ids: [B, T] int64 prompt and answer.
        labels: [B, T] int64 the token to say next, `IGNORED` outside the answer.
        token_types: [B, T] int64, 1 at image tokens.
        images: [B, H, W, 3] uint8.
        cells: [B, tokens, S * S] int64 part classes inside each image token's cell.
        cues: [B, tokens, S * S] float32, 1 on the part the instruction asks for.
    """

    input_ids: Tensor
    labels: Tensor
    token_types: Tensor
    images: Tensor
    cells: Tensor
    cues: Tensor


class ExampleStream(Dataset):
    """Examples 0, 1, 2, ... of a source.

    Rendering is a fifth of the work of a step on a CPU, so each scene serves twice:
    `BLOCK` scenes as they are, then the same scenes mirrored if they may be.

    Args:
        source: Makes the example of a scene seed; picklable, for worker processes.
        seed: The stream's seed.
        varied: Whether each is given another look, other words and another frame.
    """

    def __init__(
        self, source: Callable[[int], Example], *, seed: int, varied: bool = True
    ) -> None:
        self.source = source
        self.seed = seed
        self.varied = varied
        self._block, self._recent = 0, dict[int, Example]()

    def __getitem__(self, index: int) -> Example:
        """Returns example `index`, always the same one."""
        block, place = divmod(index, 2 * BLOCK)
        if block != self._block:  # what other processes were asked for stays here
            self._block, self._recent = block, {}
        scene = block * BLOCK + place % BLOCK
        example = self._recent.pop(scene, None) or self._make(scene)
        rng = np.random.default_rng([self.seed, index, 1])
        if place < BLOCK:
            self._recent[scene] = example
        elif not example.one_sided:
            example = mirror_example(example)
        if self.varied:
            example = vary_example(example, rng)
        return replace(example, told=bool(rng.random() < TOLD))

    def _make(self, scene: int) -> Example:
        rng = np.random.default_rng([self.seed, scene, 0])
        return self.source(int(rng.integers(2**31)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Collator:
    """Turns examples into a `Batch`.

    Attributes:
        tokenizer: The policy's tokenizer, with its chat template.
        size: The policy's sizes.
        stride: Pixels between the points at which the dense targets are read.
        blind: Whether to show grey instead of the images.
        knowledge: What is told beside the instruction (`policy.knowledge`).
    """

    tokenizer: PreTrainedTokenizerFast
    size: TinySize
    stride: int = STRIDE
    blind: bool = False
    knowledge: str = UNTOLD

    def __call__(self, examples: Sequence[Example]) -> Batch:
        """Returns the examples as one batch."""
        rows = [self._encode(example) for example in examples]
        length = max(len(prompt) + len(answer) for prompt, answer in rows)
        ids = self.tokenizer.get_vocab()
        input_ids = torch.full((len(rows), length), ids[PAD])
        labels = torch.full((len(rows), length), IGNORED)
        for row, (prompt, answer) in enumerate(rows):
            end = len(prompt) + len(answer)
            input_ids[row, :end] = torch.tensor(prompt + answer)
            labels[row, len(prompt) - 1 : end - 1] = torch.tensor(answer)
        images = np.stack([e.image for e in examples])
        cells = np.stack([self._cut(e.parts) for e in examples])
        cues = np.stack([self._cut(e.target) for e in examples])
        return Batch(
            input_ids=input_ids,
            labels=labels,
            token_types=(input_ids == ids[IMAGE]).long(),
            images=torch.from_numpy(blank(images) if self.blind else images),
            cells=torch.from_numpy(cells).long(),
            cues=torch.from_numpy(cues).float(),
        )

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        """Returns the token ids of a prompt, its image tokens included."""
        text = self.tokenizer.apply_chat_template(
            build_messages(prompt, "short"), tokenize=False, add_generation_prompt=True
        )
        side = self.size.grid // self.size.merge
        return self.tokenizer(str(text).replace(IMAGE, IMAGE * side**2))["input_ids"]

    def _encode(self, example: Example) -> tuple[list[int], list[int]]:
        answer = self.tokenizer(format_answer(example.plan))["input_ids"]
        answer = [*answer, self.tokenizer.get_vocab()[END]]
        known = recall(self.knowledge, example.instruction) if example.told else ""
        prompt = Prompt(
            image=example.image, instruction=example.instruction, knowledge=known
        )
        return self.encode_prompt(prompt), answer

    def _cut(self, classes: NDArray) -> NDArray:
        """Cuts [H, W] classes into [tokens, S * S], one row an image token."""
        half = self.stride // 2
        points = classes[half :: self.stride, half :: self.stride]
        side = self.size.grid // self.size.merge
        inner = points.shape[0] // side
        cut = points.reshape(side, inner, side, inner).swapaxes(1, 2)
        return cut.reshape(side * side, inner * inner)
