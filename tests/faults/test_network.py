"""A hub that does not answer, or sends anything, ends in one line and in time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import ROOT, call
from huggingface_hub import constants

SHA = "1" * 40
ASK = """
import time
from policy.model.origin import hub
hub.STALL_S, start = 2.0, time.monotonic()
try:
    hub.download("a/b")
except ValueError as error:
    print(error, time.monotonic() - start)
"""
Reply = Callable[[str], object]
"""From a request's first line to the JSON of the reply; None is silence."""


def know_nothing(request: str) -> object:
    return None


def keep_files(request: str) -> object:
    """Tells of a policy and sends none of its files."""
    if "/tree/" in request:
        return [{"type": "file", "oid": "2" * 40, "size": 9, "path": "config.json"}]
    known = {"id": "a/b", "sha": SHA, "siblings": [{"rfilename": "config.json"}]}
    return known if " /api/" in request else None


def send_nonsense(request: str) -> object:
    return ["nonsense"]


REPLIES: dict[str, tuple[Reply, str]] = {
    "silent": (know_nothing, "no answer within 5 s"),
    "keeps files": (keep_files, "no answer within 2 s"),
    "nonsense": (send_nonsense, "policy 'a/b' is neither a directory"),
}


def serve(server: socket.socket, reply: Reply) -> None:
    lines: list[socket.socket] = []  # or a connection would end with its name
    while True:
        try:
            line, _ = server.accept()
        except OSError:
            return
        lines.append(line)
        said = reply(line.recv(4096).decode(errors="replace").partition("\r\n")[0])
        if said is not None:
            body = json.dumps(said)
            head = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
            head += "\r\nConnection: close"
            line.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}".encode())


@pytest.mark.faults
@pytest.mark.parametrize("name", REPLIES)
def test_a_hub_without_an_answer_is_named_in_time(name: str, tmp_path: Path) -> None:
    reply, said = REPLIES[name]
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    threading.Thread(target=serve, args=(server, reply), daemon=True).start()
    surroundings = os.environ | {
        "HF_ENDPOINT": address,
        "HF_HOME": str(tmp_path),
        "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": str(ROOT),
    }
    asking = subprocess.run(
        [sys.executable, "-c", ASK], env=surroundings, text=True, capture_output=True
    )
    server.close()
    words, seconds = asking.stdout.rsplit(maxsplit=1)
    assert said in words and address in words and "'a/b'" in words
    assert float(seconds) < 15


def test_a_command_says_at_once_whom_it_asks() -> None:
    said = call("evaluate", "env=pick_mug", "policy=nobody/nothing", "n=1")
    assert f"policy nobody/nothing: asking {constants.ENDPOINT}" in said
    assert "HF_HUB_OFFLINE is set; copy it here" in said
