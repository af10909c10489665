"""Where a run can be watched: TensorBoard, Weights & Biases, Trackio.

All show the figures of metrics.jsonl under the same names, a slash between levels
(`timing/step_s`), those of the evaluations as `before/success` and `after/success`, the
first held-out scenes with the answers to them, and the run's configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PROJECT = "graspo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image with what was said about it.

    Attributes:
        image: [H, W, 3] uint8.
        words: Any text; a model may have written it.
    """

    image: NDArray[np.uint8]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The run that is shown.

    Attributes:
        path: Its directory.
        config: Its configuration, plain data.
        done: Steps that a resumed run has taken.
    """

    path: Path
    config: Mapping[str, Any]
    done: int

    @property
    def name(self) -> str:
        """What tells it from others to a reader: the last two parts of its path."""
        return "-".join(self.path.resolve().parts[-2:])


class Board(Protocol):
    """What shows a run."""

    def plot(self, figures: Mapping[str, float], step: int) -> None:
        """Adds a point to each curve."""

    def show(self, name: str, pictures: Sequence[Picture], step: int) -> None:
        """Shows pictures with their words under a name."""

    def close(self) -> None:
        """Writes what is left."""


class TensorBoard:
    """Event files in the run's directory; see `Board`."""

    def __init__(self, run: Watched) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        # What a run has shown beyond what it goes on from is shown again.
        self._writer: Any = SummaryWriter(str(run.path), purge_step=run.done + 1)
        metrics = {"before/success": 0.0, "after/success": 0.0}
        for summary in hparams(_spell_values(run.config), metrics):
            self._writer.file_writer.add_summary(summary)

    def plot(self, figures: Mapping[str, float], step: int) -> None:
        """See `Board`."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def show(self, name: str, pictures: Sequence[Picture], step: int) -> None:
        """See `Board`."""
        for i, picture in enumerate(pictures):
            place = f"{name}/{i}"
            self._writer.add_image(place, picture.image, step, dataformats="HWC")
            self._writer.add_text(place, _as_code(picture.words), step)

    def close(self) -> None:
        """See `Board`."""
        self._writer.close()


class WandB:
    """Weights & Biases; `WANDB_MODE=offline` keeps it here. See `Board`."""

    def __init__(self, run: Watched) -> None:
        import wandb  # pyright: ignore[reportMissingImports]

        # The same directory is the same run, whatever it is called.
        key = blake2b(str(run.path.resolve()).encode(), digest_size=8).hexdigest()
        try:
            self._run = wandb.init(
                project=PROJECT,
                name=run.name,
                id=key,
                resume="allow",
                dir=str(run.path),
                config=dict(run.config),
            )
        except wandb.Error as error:
            raise ValueError(
                f"log=[wandb]: {error}; run `wandb login`, or set WANDB_MODE=offline"
            ) from error

    def plot(self, figures: Mapping[str, float], step: int) -> None:
        """See `Board`."""
        self._run.log(dict(figures), step=step)

    def show(self, name: str, pictures: Sequence[Picture], step: int) -> None:
        """See `Board`."""
        import wandb  # pyright: ignore[reportMissingImports]

        images = [wandb.Image(p.image, caption=p.words) for p in pictures]
        self._run.log({f"{name}/answers": images}, step=step)

    def close(self) -> None:
        """See `Board`."""
        self._run.finish()


class Trackio:
    """Trackio, in the directory that TRACKIO_DIR names. See `Board`."""

    def __init__(self, run: Watched) -> None:
        import trackio  # pyright: ignore[reportMissingImports]

        self._run = trackio.init(
            PROJECT,
            name=run.name,
            config=dict(run.config),
            resume="allow" if run.done else "never",
            embed=False,
        )

    def plot(self, figures: Mapping[str, float], step: int) -> None:
        """See `Board`."""
        self._run.log(dict(figures), step=step)

    def show(self, name: str, pictures: Sequence[Picture], step: int) -> None:
        """See `Board`."""
        import trackio  # pyright: ignore[reportMissingImports]

        images = {
            f"{name}/{i}": trackio.Image(p.image, caption=p.words)
            for i, p in enumerate(pictures)
        }
        self._run.log(images, step=step)

    def close(self) -> None:
        """See `Board`."""
        self._run.finish()


BOARDS: dict[str, Callable[[Watched], Board]] = {
    "tensorboard": TensorBoard,
    "wandb": WandB,
    "trackio": Trackio,
}


def check_boards(names: Sequence[str]) -> None:
    """Raises a ValueError for a board that is unknown, or not installed."""
    for name in names:
        if name not in BOARDS:
            raise ValueError(f"log has {name!r}; valid: {', '.join(BOARDS)}")
        if find_spec(name) is None:
            raise ValueError(
                f"log=[{name}] needs {name}, which is not installed: pip install {name}"
            )


def flatten(row: Mapping[str, Any], under: str = "") -> dict[str, float]:
    """Returns the finite numbers of nested figures by name."""
    found: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= flatten(value, f"{under}{name}/")
        elif isinstance(value, int | float) and isfinite(value):
            found[f"{under}{name}"] = value
    return found


def _spell_values(config: Mapping[str, Any], under: str = "") -> dict[str, Any]:
    """Settings by name, each a number or a word, as TensorBoard has them."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= _spell_values(value, f"{under}{name}.")
        else:
            plain = isinstance(value, bool | int | float | str)
            found[f"{under}{name}"] = value if plain else str(value)
    return found


def _as_code(text: str) -> str:
    """Markdown that shows any text as it is."""
    return "\n".join(f"    {line}" for line in text.splitlines())
