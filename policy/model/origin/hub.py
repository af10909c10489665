"""Policies of a hub: downloaded, or said to be out of reach, within a bounded time."""

from __future__ import annotations

import threading
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

ANSWER_S = 5.0
"""A hub answers in a fifth of a second; without a network names alone take 20 s."""
_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")


def download(repo: str) -> Path:
    """Returns the directory of a hub's policy; what was downloaded before does.

    Args:
        repo: Its id, "owner/name".

    Raises:
        ValueError: It cannot be had; says why.
    """
    why = _ask(repo)
    try:
        return Path(
            snapshot_download(
                repo,
                allow_patterns=list(_FILES),
                etag_timeout=ANSWER_S,
                local_files_only=bool(why),
            )
        )
    except LocalEntryNotFoundError as error:
        why = why or str(error)
    except (OSError, ValueError) as error:  # hub errors are OSErrors
        why = str(error)
    raise ValueError(
        f"policy {repo!r} is neither a directory nor could it be had from the hub "
        f"{constants.ENDPOINT}: {why}; copy it here and give its directory, or try "
        "again"
    )


def _ask(repo: str) -> str:
    """Returns why a hub does not give something, "" if it does.

    The thread is left behind where it hangs: finding a name has no time limit.
    """
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(_look_up(repo)), daemon=True)
    thread.start()
    thread.join(ANSWER_S)
    return said[0] if said else f"no answer within {ANSWER_S:g} s"


def _look_up(repo: str) -> str:
    try:
        HfApi().model_info(repo, timeout=ANSWER_S)
    except OfflineModeIsEnabled:
        return "HF_HUB_OFFLINE is set"
    except Exception as error:  # noqa: BLE001 whatever the network raises is a reason
        return " ".join(str(error).split()) or type(error).__name__
    return ""
