"""Who is answered, and how much is read: in front of every request and web socket.

The page runs programs on its user's machine, so nobody else may use it. It listens on
the loopback alone, but any web site that the user visits could send requests there, and
its name could be made to point there. So a request has to be addressed to a loopback
name, and what a browser sends for another site is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_BODY = 64 * 2**10  # bytes of a request; the longest answer takes a third


class Guard:
    """ASGI middleware: loopback hosts and origins only, bodies of a bounded size.

    Args:
        app: What is guarded.
        local_only: Whether only this machine is answered; a body is bounded anyway.
    """

    def __init__(self, app: ASGIApp, *, local_only: bool = True) -> None:
        self._app, self._local_only = app, local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what may pass; all else gets one sentence."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        refusal = find_refusal(headers) if self._local_only else ""
        if refusal and scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 1008})
        if refusal:
            return await _refuse(403, refusal)(scope, receive, send)
        if scope["type"] == "websocket":
            return await self._app(scope, receive, send)
        body = await _read(receive, headers)
        if body is None:
            sentence = f"the request is longer than {MAX_BODY} bytes"
            return await _refuse(413, sentence)(scope, receive, send)
        await self._app(scope, _replay(body, receive), send)


def find_refusal(headers: Mapping[str, str]) -> str:
    """Returns why a request is not answered, "" if it is."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if _read_name(f"//{host}") not in LOOPBACK:
        return f"host {host[:80]!r} is not this machine: use 127.0.0.1"
    if origin is not None and _read_name(origin) not in LOOPBACK:
        return f"origin {origin[:80]!r} is not this machine"
    # A site cannot read what an image or a script of it fetches, but could cause it.
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    if site == "cross-site" and mode != "navigate":
        return "the request comes from another site"
    return ""


def _read_name(address: str) -> str | None:
    """The host's name in an address; None where there is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


async def _read(receive: Receive, headers: Headers) -> bytes | None:
    """The body; None as soon as it is too long."""
    said = headers.get("content-length", "0")
    if not (said.isascii() and said.isdigit() and int(said[:20]) <= MAX_BODY):
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read, then what follows it."""
    waiting: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


def _refuse(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
