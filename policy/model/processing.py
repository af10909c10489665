"""The text and image side of a model: chat template, tokenizer, image processor.

How an image's tokens are laid out stays the business of the family's stock processor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
from transformers.processing_utils import ProcessorMixin

from envs.answer import NORMALIZED, Codec
from policy.model.origin.bounds import ExcessError
from policy.model.origin.refusals import REFUSALS, describe
from policy.model.origin.template import render
from policy.model.prompt import build_messages
from policy.model.settings import Settings, save_settings
from policy.model.stock import save_stock_processor
from policy.records import Prompt

ANSWER_END = "</answer>"
GREY = 128
Layout = Callable[[list[NDArray[np.uint8]]], list[Any]]
LAYOUTS: tuple[Layout, ...] = (
    lambda images: [[image] for image in images],
    lambda images: images,
    lambda images: [[Image.fromarray(image)] for image in images],
)
"""How families take one image a prompt: most in lists, some flat, some from pillow."""


class Processor:
    """Turns prompts into model inputs, and tokens into text.

    Attributes:
        stock: The family's processor of transformers.
        tokenizer: Its tokenizer.
        settings: Prompt style and coordinates.
    """

    def __init__(
        self,
        stock: ProcessorMixin,
        settings: Settings,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Wraps a loaded processor, which came from `files`; see `read_files`."""
        self.stock = stock
        self._files = files or {}
        self.tokenizer = stock.tokenizer
        self.settings = settings
        self._pieces: dict[int, str] = {}
        self._image_tokens: dict[tuple[int, ...], int] = {}
        # Some families leave out by default what they need to count positions.
        named = getattr(stock, "model_input_names", ())
        kinds = "mm_token_type_ids" in named
        self._asked = {"return_mm_token_type_ids": True} if kinds else {}
        self._encoding = Lock()  # a tokenizer pads for one thread at a time
        control = sorted(self.list_control_ids())
        self._control_tokens = self.tokenizer.convert_ids_to_tokens(control)
        self._lay_out = self._find_layout()
        if settings.coordinates == "pixels" and not self._resizes_to_patches:
            raise ValueError(
                f"coordinates are 'pixels', but {type(stock.image_processor).__name__}"
                " does not resize as Qwen2-VL does; choose 'normalized'"
            )

    def codec(self, prompt: Prompt) -> Codec:
        """Returns the coordinates in which the answer to a prompt is written."""
        if self.settings.coordinates == "normalized":
            return NORMALIZED
        images = self.stock.image_processor
        height, width = smart_resize(
            *prompt.image.shape[:2],
            factor=images.patch_size * images.merge_size,
            min_pixels=images.size["shortest_edge"],
            max_pixels=images.size["longest_edge"],
        )
        return Codec(width, height)

    def encode(self, prompts: Sequence[Prompt]) -> dict[str, Tensor]:
        """Returns the model inputs of prompts, padded on the left.

        Args:
            prompts: P prompts.

        Returns:
            `input_ids`, `attention_mask` and, where the family has them, token types,
            each [P, L], and the family's own image tensors.

        Raises:
            ValueError: If an instruction or what is known contains a control token.
        """
        stock: Any = self.stock
        with self._encoding:
            inputs = stock(
                text=[self.render(prompt) for prompt in prompts],
                images=self._lay_out([self._show(prompt) for prompt in prompts]),
                padding=True,
                padding_side="left",
                return_tensors="pt",
                **self._asked,
            )
        return dict(inputs)

    def count_tokens(self, prompt: Prompt) -> int:
        """Returns the tokens of a prompt; an image of a known size is not encoded."""
        words = len(self.tokenizer(self.render(prompt))["input_ids"])
        shape = prompt.image.shape
        if shape not in self._image_tokens:
            whole = self.encode([prompt])["input_ids"].shape[1]
            self._image_tokens[shape] = whole - words
        return words + self._image_tokens[shape]

    def render(self, prompt: Prompt) -> str:
        """Returns a prompt's text, its image still a placeholder."""
        texts = {"instruction": prompt.instruction, "knowledge": prompt.knowledge}
        for token in self._control_tokens:
            for name, said in texts.items():
                if token in said:
                    raise ValueError(
                        f"{name} {said!r} contains the control token {token!r}"
                    )
        messages = build_messages(
            prompt, self.settings.prompt_style, self.codec(prompt)
        )
        return render(self.tokenizer, messages, add_generation_prompt=True)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Returns the text of tokens, control tokens left out."""
        return self.tokenizer.decode(
            list(token_ids),
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )

    def token_spans(self, token_ids: Sequence[int]) -> list[tuple[int, int]]:
        """Returns where each token starts and ends in the decoded text.

        Characters that need several tokens belong to the last of them.
        """
        pieces = [self._decode_piece(token) for token in token_ids]
        ends = [0]
        if "".join(pieces) == self.decode(token_ids):
            for piece in pieces:
                ends.append(ends[-1] + len(piece))
        else:  # a token reads differently alone: bytes of a character, leading spaces
            for count in range(1, len(token_ids) + 1):
                text = self.decode(token_ids[:count])
                complete = len(text.rstrip("\N{REPLACEMENT CHARACTER}"))
                ends.append(max(ends[-1], complete))
            ends[-1] = len(self.decode(token_ids))
        return list(pairwise(ends))

    def closes_answer(self, token_ids: Sequence[int]) -> bool:
        """Whether the last token completes the answer's closing tag."""
        # A tag is at most as many tokens as characters.
        tail = self.decode(token_ids[-len(ANSWER_END) :])
        before = self.decode(token_ids[-len(ANSWER_END) : -1])
        return tail.count(ANSWER_END) > before.count(ANSWER_END)

    def list_control_ids(self) -> set[int]:
        """Returns tokens that are no text: image placeholders, turn marks, padding."""
        added = self.tokenizer.added_tokens_decoder
        return set(self.tokenizer.all_special_ids) | {
            token for token, entry in added.items() if entry.special
        }

    def list_closing_ids(self) -> list[int]:
        """Returns tokens that may complete the closing tag: they contain its end."""
        last = ANSWER_END[-1]
        known = range(len(self.tokenizer))
        return [token for token in known if last in self._decode_piece(token)]

    def save(self, directory: Path) -> None:
        """Writes the files of tokenizer, chat template, image processor, settings."""
        save_stock_processor(self.stock, self._files, directory)
        save_settings(directory, self.settings)

    def _find_layout(self) -> Layout:
        """Returns how the family takes the images of several prompts.

        Raises:
            ValueError: If it takes them in no way, before weights are read.
        """
        image = np.full((56, 56, 3), GREY, np.uint8)
        prompts = [
            Prompt(image=image, instruction=words) for words in ("Look", "Lift it")
        ]
        errors = []
        for layout in LAYOUTS:
            self._lay_out = layout
            try:
                self.encode(prompts)
            except ExcessError:
                raise
            except REFUSALS as error:
                errors.append(error)
            else:
                return layout
        raise ValueError(
            f"{type(self.stock).__name__} does not take a prompt with one image; "
            f"{describe(errors[0])}"
        )

    def _show(self, prompt: Prompt) -> NDArray[np.uint8]:
        return blank(prompt.image) if self.settings.blind else prompt.image

    @property
    def _resizes_to_patches(self) -> bool:
        names = ("patch_size", "merge_size", "size")
        return all(hasattr(self.stock.image_processor, name) for name in names)

    def _decode_piece(self, token: int) -> str:
        if token not in self._pieces:
            self._pieces[token] = self.decode([token])
        return self._pieces[token]


def blank(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns images of the same shape that show nothing."""
    return np.full_like(images, GREY)
