"""Films of executions, made when they are asked for and kept for a while."""

from __future__ import annotations

import secrets
import tempfile
from collections import OrderedDict
from pathlib import Path

from envs.records import Plan
from envs.scene import Scene
from envs.video.clip import film_clip, write_clip

KEPT = 64  # films of about 100 kB, and the scenes behind them of 1 MB
SIZE = 448  # pixels, a side: multiples of 16, as video blocks are


class FilmStore:
    """What can be filmed, by an id that nobody can guess; the oldest is forgotten.

    Args:
        kept: How many are remembered.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._ordered: OrderedDict[str, tuple[Scene, Plan]] = OrderedDict()
        self._made: dict[str, bytes] = {}

    def order(self, scene: Scene, plan: Plan) -> str:
        """Returns the id of the film of an execution, which is not made yet."""
        name = secrets.token_urlsafe(12)
        self._ordered[name] = (scene, plan)
        while len(self._ordered) > self._kept:
            oldest, _ = self._ordered.popitem(last=False)
            self._made.pop(oldest, None)
        return name

    def find(self, name: str) -> tuple[Scene, Plan] | None:
        """Returns what a film shows; None for an id that is not known, or no more."""
        return self._ordered.get(name)

    def get(self, name: str) -> bytes | None:
        """Returns a film that was made."""
        return self._made.get(name)

    def put(self, name: str, film: bytes) -> None:
        """Keeps a film that was made, as long as its id is known."""
        if name in self._ordered:
            self._made[name] = film


def make_film(scene: Scene, plan: Plan) -> bytes:
    """Returns an H.264 film of an execution; nothing where nothing could move."""
    with tempfile.TemporaryDirectory(prefix="graspo") as folder:
        path = Path(folder) / "film.mp4"
        filmed = write_clip(path, film_clip(scene, plan, size=SIZE))
        return path.read_bytes() if filmed else b""
