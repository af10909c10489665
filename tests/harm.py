"""What somebody who means harm would try, and how it would be noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


class Bomb:
    """What a pickle of it calls is anybody's choice."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def say_yes(mark: Path) -> Callable[..., str]:
    """Somebody who agrees to everything; that he was asked is noted."""

    def answer(*words: object) -> str:
        mark.touch()
        return "y"

    return answer
