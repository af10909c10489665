"""Policies of a hub: downloaded, or said to be out of reach, within a bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import OfflineModeIsEnabled

ANSWER_S = 5.0
"""A hub answers in a fifth of a second; without a network names alone take 20 s."""
STALL_S = 120.0
"""A download that brings nothing for so long has ended."""
_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def download(repo: str) -> Path:
    """Returns the directory of a hub's policy; what was downloaded before does.

    Args:
        repo: Its id, "owner/name".

    Raises:
        ValueError: It cannot be had; says why.
    """
    found: list[Path] = []

    def fetch(offline: bool) -> None:
        files: list[str] = list(_FILES)
        path = snapshot_download(repo, allow_patterns=files, local_files_only=offline)
        found.append(Path(path))

    why = _wait(lambda: _ask(repo), lambda: 0, ANSWER_S)
    here = _wait(lambda: fetch(bool(why)), lambda: _count_bytes(repo), STALL_S)
    if found:
        return found[0]
    raise ValueError(
        f"policy {repo!r} is neither a directory nor could it be had from the hub "
        f"{constants.ENDPOINT}: {why or here}; copy it here and give its directory, or "
        "try again"
    )


def _ask(repo: str) -> None:
    """Raises whatever keeps a hub from telling of a policy."""
    try:
        HfApi().model_info(repo, timeout=ANSWER_S)
    except OfflineModeIsEnabled as error:
        raise RuntimeError("HF_HUB_OFFLINE is set") from error


def _count_bytes(repo: str) -> int:
    """How much of a policy is here."""
    folder = Path(constants.HF_HUB_CACHE, f"models--{repo.replace('/', '--')}")
    return sum(one.lstat().st_size for one in folder.rglob("*") if one.is_file())


def _wait(work: Callable[[], None], advance: Callable[[], int], limit_s: float) -> str:
    """Returns why work failed, "" if it did not.

    It is left behind in its thread when it hangs: some calls know no limit.

    Args:
        work: What to wait for.
        advance: A number that changes as long as it goes on.
        limit_s: Seconds without a change.
    """
    said: list[str] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 whatever a hub sends is a reason
            said.append(" ".join(str(error).split()) or type(error).__name__)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    seen, since = advance(), time.monotonic()
    while thread.is_alive() and time.monotonic() - since < limit_s:
        thread.join(min(1.0, limit_s))
        if (now := advance()) != seen:
            seen, since = now, time.monotonic()
    if thread.is_alive():
        return f"no answer within {limit_s:g} s"
    return said[0] if said else ""
