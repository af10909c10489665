"""The stock processor of a model family, and the files it came from.

It is loaded without its video part, which would need torchvision, and saved with every
file that the family's own loader reads, so that other programs load the policy, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from jinja2 import TemplateError
from transformers import PretrainedConfig, PreTrainedTokenizerBase
from transformers.models.auto import processing_auto
from transformers.processing_utils import ProcessorMixin

from policy.model.origin.files import read_json
from policy.model.origin.template import render

FILES = (
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
)
REFUSALS = (
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What processors raise at files, words or images that they were not made for."""
_VIDEO = "video_processor"


def load_stock_processor(directory: Path, config: PretrainedConfig) -> ProcessorMixin:
    """Loads a family's processor without its video part.

    Raises:
        ValueError: If the family has no processor for images and text, or one that
            needs a package which is not here, or the model no chat template that shows
            images.
    """
    kind = _find_kind(directory, config.model_type)
    try:
        load = _without_video(kind).from_pretrained
        stock: Any = load(directory, trust_remote_code=False)
    except Exception as error:  # tokenizers raise nothing finer
        what = f"{directory}: the processor of model_type {config.model_type!r}"
        if "torchvision" in str(error).lower():
            raise ValueError(
                f"{what} needs torchvision; install the release that goes with torch "
                f"{torch.__version__}"
            ) from error
        raise ValueError(f"{what} cannot be loaded; {describe(error)}") from error
    template = stock.chat_template or stock.tokenizer.chat_template
    if template is None:
        raise ValueError(f"{directory} has no chat template; add a chat_template.jinja")
    stock.chat_template = stock.tokenizer.chat_template = template
    if stock.tokenizer.pad_token is None:  # padding is masked, so any will do
        stock.tokenizer.pad_token = stock.tokenizer.eos_token
    if not _shows_images(stock.tokenizer):
        raise ValueError(
            f"the chat template of {directory} has no place for images; add the "
            "chat_template.jinja of a vision-language model of its family"
        )
    return stock


def describe(error: Exception) -> str:
    """Returns an error as one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def read_files(directory: Path) -> dict[str, bytes]:
    """Returns a directory's files for the processor, as they came."""
    paths = [directory / name for name in FILES]
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def save_stock_processor(
    stock: Any, files: Mapping[str, bytes], directory: Path
) -> None:
    """Writes tokenizer and chat template, and the other files as they came.

    Args:
        stock: The processor.
        files: What `read_files` found where it was loaded from.
        directory: Where to.
    """
    # Not a family's own, which may want the video part.
    ProcessorMixin.save_pretrained(stock, directory)
    stock.image_processor.save_pretrained(directory)  # video parts begin from it
    for name, content in files.items():
        (directory / name).write_bytes(content)


def _find_kind(directory: Path, model_type: str) -> Any:
    """The processor's class: the one that the directory names, or the family's."""
    names: Any = processing_auto  # whose names are no part of its interface
    kinds = names.PROCESSOR_MAPPING_NAMES
    named = [_read_name(directory / name) for name in FILES]
    for name in (*named, kinds.get(model_type)):
        if name and name in kinds.values():
            return getattr(transformers, name)
    raise ValueError(
        f"{directory}: model_type {model_type!r} has no processor for images and "
        "text; set policy to an image-text-to-text model"
    )


def _read_name(path: Path) -> str | None:
    return read_json(path).get("processor_class") if path.is_file() else None


def _shows_images(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template renders a turn with an image unlike one without."""
    words = {"type": "text", "text": "words"}
    turns: Any = ([words], [{"type": "image"}, words])
    try:
        without, with_image = (
            render(tokenizer, [{"role": "user", "content": content}])
            for content in turns
        )
    except (TypeError, TemplateError):  # a template that takes turns for strings
        return False
    return without != with_image


def _without_video(stock: Any) -> Any:
    """A subclass without video processor, which needs torchvision; of the same name.

    In its place stands the image processor, of which some ask for settings.
    """
    names = stock.get_attributes()

    class Loader(stock):
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in names if name != _VIDEO]

    class ImageProcessor(stock):
        @classmethod
        def _get_arguments_from_pretrained(cls, *args: Any, **kwargs: Any) -> list[Any]:
            loaded = Loader._get_arguments_from_pretrained(*args, **kwargs)
            if _VIDEO in names:
                images = loaded[Loader.get_attributes().index("image_processor")]
                loaded.insert(names.index(_VIDEO), images)
            return loaded

        def check_argument_for_proper_class(
            self, argument_name: str, argument: Any
        ) -> Any:
            if argument_name == _VIDEO:
                return type(argument)
            return super().check_argument_for_proper_class(argument_name, argument)

        def to_dict(self) -> dict[str, Any]:
            values = super().to_dict()
            values.pop(_VIDEO, None)
            return values

    Loader.__name__ = ImageProcessor.__name__ = stock.__name__
    return ImageProcessor
