"""A hub that does not answer, or sends anything, ends in one line and in time."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import call
from huggingface_hub import constants

import policy
from policy.model.origin import hub

SHA = "1" * 40
Reply = Callable[[str], object]
"""From a request's first line to the JSON of the reply; None is silence."""


def know_nothing(request: str) -> object:
    return None


def keep_files(request: str) -> object:
    """Tells of a policy and sends none of its files."""
    if "/tree/" in request:
        return [{"type": "file", "oid": "2" * 40, "size": 9, "path": "config.json"}]
    known = {"id": "a/b", "sha": SHA, "siblings": [{"rfilename": "config.json"}]}
    return known if "/api/models/" in request else None


def send_nonsense(request: str) -> object:
    return ["nonsense"]


REPLIES: dict[str, tuple[Reply, str]] = {
    "silent": (know_nothing, "no answer within 1 s"),
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
            line.sendall(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}".encode())


@pytest.fixture(params=REPLIES)
def line(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """What has to be said of a hub, which listens meanwhile."""
    reply, said = REPLIES[request.param]
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "ANSWER_S", 1.0)
    monkeypatch.setattr(hub, "STALL_S", 2.0)
    threading.Thread(target=serve, args=(server, reply), daemon=True).start()
    yield f"{address}.*{said}|{said}.*{address}"
    server.close()


def test_a_hub_without_an_answer_is_named_in_time(line: str) -> None:
    start = time.monotonic()
    with pytest.raises(ValueError, match=line):
        policy.load("a/b", device="cpu")
    assert time.monotonic() - start < 20


def test_a_command_says_at_once_whom_it_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    said = call("evaluate", "env=pick_mug", "policy=nobody/nothing", "n=1")
    assert "nobody/nothing" in said and "HF_HUB_OFFLINE is set" in said
    assert f"asking {constants.ENDPOINT}" in said
